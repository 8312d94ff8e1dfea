"""${message}"""

from pathlib import Path

from signalink_core.database import migrate

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrate.run_sql(Path(__file__).parent.parent / "sql" / revision)
