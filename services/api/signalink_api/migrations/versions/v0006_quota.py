"""The quota of messages a second that a channel may have."""

from pathlib import Path

from signalink_core.database import migrate

revision = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Run sql/0006; it only adds, so code of revision 0005 runs on it too."""
    migrate.run_sql(Path(__file__).parent.parent / "sql" / revision)
