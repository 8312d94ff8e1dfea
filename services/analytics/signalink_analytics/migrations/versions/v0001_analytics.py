"""The analytics schema: windows, rollups, late events, presence, rebuilds, and where the consumer is."""

from pathlib import Path

from signalink_analytics import SCHEMA
from signalink_core.database import migrate
from signalink_core.kafka import offsets

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Run the consumer's tables and sql/0001; there is no way back: expand, backfill, contract."""
    migrate.run_script(offsets.tables(SCHEMA, "signalink_analytics"))
    migrate.run_sql(Path(__file__).parent.parent / "sql" / revision)
