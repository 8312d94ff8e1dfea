"""Where the consumers of this service are: their offsets, what they applied, what is parked."""

from signalink_core.database import migrate
from signalink_core.kafka import offsets

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """The core's tables for this schema, with the rights of its role."""
    migrate.run_script(offsets.tables("notifications", "signalink_notifications"))
