"""`python -m signalink_core.database migrate --schema S --migrations PACKAGE`: migrate one schema as its owner role.

Owns the arguments and the exit code; reads SIGNALINK_POSTGRES_* (the owner's) like every process.
"""

import argparse
import asyncio
import sys

from signalink_core.database import migrate
from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_core.settings import PostgresSettings


def main(arguments: list[str] | None = None) -> int:
    """0 done, 1 failed, 64 not configured; prints the revision reached."""
    parser = argparse.ArgumentParser(prog="python -m signalink_core.database")
    commands = parser.add_subparsers(dest="command", required=True)
    migrating = commands.add_parser("migrate", help="bring one schema to its newest revision")
    migrating.add_argument("--schema", default="messaging")
    migrating.add_argument("--migrations", default="signalink_api.migrations")
    chosen = parser.parse_args(arguments)
    try:
        settings = PostgresSettings.from_env()
        reached = asyncio.run(migrate.upgrade(settings, package=chosen.migrations, schema=chosen.schema))
    except SignalinkError as error:
        sys.stderr.write(f"{error}\n")
        return 64 if isinstance(error, ConfigurationError) else 1
    except OSError as error:
        sys.stderr.write(f"Postgres does not answer at {settings.dsn}: {error}. Next: start it and run this again.\n")
        return 1
    sys.stdout.write(f"{chosen.schema} is at revision {reached}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
