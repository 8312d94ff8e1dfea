"""What other services need of messaging: devices, read positions, direct channels, views and their grants."""

from pathlib import Path

from signalink_core.database import migrate

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Run sql/0002; it only adds, so code of revision 0001 runs on it too."""
    migrate.run_sql(Path(__file__).parent.parent / "sql" / revision)
