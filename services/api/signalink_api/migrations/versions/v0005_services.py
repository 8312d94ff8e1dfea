"""Services with tokens of their own, and the channels they manage by slug."""

from pathlib import Path

from signalink_core.database import migrate

revision = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Run sql/0005; it only adds, so code of revision 0004 runs on it too."""
    migrate.run_sql(Path(__file__).parent.parent / "sql" / revision)
