"""The notifications schema: preferences, plans, the outbox, deliveries, and where the consumers are."""

from pathlib import Path

from signalink_core.database import migrate

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Run sql/0001; there is no way back: expand, backfill, contract."""
    migrate.run_sql(Path(__file__).parent.parent / "sql" / revision)
