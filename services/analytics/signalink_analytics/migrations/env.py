"""Alembic's entry to this tree; everything it does is in `signalink_core.database.migrate`."""

from signalink_core.database import migrate

migrate.run_environment()
