"""A further Kafka topic that a channel may have, with a cursor of its own."""

from pathlib import Path

from signalink_core.database import migrate

revision = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Run sql/0007; it only adds, so code of revision 0006 runs on it too."""
    migrate.run_sql(Path(__file__).parent.parent / "sql" / revision)
