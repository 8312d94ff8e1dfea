"""What whoever tells people of messages needs: blocks, entitlements, texts before an edit."""

from pathlib import Path

from signalink_core.database import migrate

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Run sql/0003; it only adds, so code of revision 0002 runs on it too."""
    migrate.run_sql(Path(__file__).parent.parent / "sql" / revision)
