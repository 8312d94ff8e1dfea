"""Where the consumers of this service are: offsets, what they applied, what is parked. A user's plans by time."""

from signalink_core.database import migrate
from signalink_core.kafka import offsets

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

PLANS_OF_A_USER = "CREATE INDEX plans_told_idx ON notifications.plans (user_id, planned_at, notification_id)"

PROBED = """
GRANT USAGE ON SCHEMA notifications TO signalink_prober;
GRANT SELECT ON notifications.events, notifications.relay_cursors, notifications.log_state TO signalink_prober;
"""


def upgrade() -> None:
    """The core's tables for this schema, with the rights of its role."""
    migrate.run_script(PLANS_OF_A_USER)
    migrate.run_script(PROBED)
    migrate.run_script(offsets.tables("notifications", "signalink_notifications"))
