"""The log as analytics recomputes its figures from it: a view without texts, and an index by time."""

from pathlib import Path

from signalink_core.database import migrate

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Run sql/0004; it only adds, so code of revision 0003 runs on it too."""
    migrate.run_sql(Path(__file__).parent.parent / "sql" / revision)
