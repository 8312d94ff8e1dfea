"""`python -m signalink_core.database migrate|wait`: migrate one schema as its owner role; wait until schemas serve us.

Owns the arguments and the exit code; reads SIGNALINK_POSTGRES_* (of the owner, or of the service that waits) like every
process. `wait` never migrates, and needs nothing that only a migration needs.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable

from signalink_core.database import serving
from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_core.settings import PostgresSettings


def main(arguments: list[str] | None = None) -> int:
    """0 done, 1 failed, 64 not configured; prints the revision reached, or what was waited for."""
    chosen = _parser().parse_args(arguments)
    try:
        settings = PostgresSettings.from_env()
        work = _migrate(settings, chosen) if chosen.command == "migrate" else _wait(settings, chosen)
        sys.stdout.write(f"{asyncio.run(_text(work))}\n")
    except SignalinkError as error:
        sys.stderr.write(f"{error}\n")
        return 64 if isinstance(error, ConfigurationError) else 1
    except OSError as error:
        sys.stderr.write(f"Postgres does not answer at {settings.dsn}: {error}. Next: start it and run this again.\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m signalink_core.database")
    commands = parser.add_subparsers(dest="command", required=True)
    migrating = commands.add_parser("migrate", help="bring one schema to its newest revision")
    migrating.add_argument("--schema", default="messaging")
    migrating.add_argument("--migrations", default="signalink_api.migrations")
    waiting = commands.add_parser("wait", help="wait until Postgres lets us in and schemas serve this version")
    waiting.add_argument(
        "--schema", action="append", default=[], type=_pair, metavar="SCHEMA=PACKAGE", help="and its migrations"
    )
    waiting.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS")
    return parser


def _pair(text: str) -> tuple[str, str]:
    schema, equals, package = text.partition("=")
    if not (schema and equals and package):
        raise argparse.ArgumentTypeError(f"{text!r} is not SCHEMA=PACKAGE, as messaging=signalink_api.migrations")
    return schema, package


async def _text(work: Awaitable[str]) -> str:
    return await work


async def _migrate(settings: PostgresSettings, chosen: argparse.Namespace) -> str:
    from signalink_core.database import migrate

    reached = await migrate.upgrade(settings, package=chosen.migrations, schema=chosen.schema)
    return f"{chosen.schema} is at revision {reached}"


async def _wait(settings: PostgresSettings, chosen: argparse.Namespace) -> str:
    await serving.wait(settings, dict(chosen.schema), chosen.timeout)
    return f"ready: {', '.join(schema for schema, _ in chosen.schema) or 'Postgres'}"


if __name__ == "__main__":
    sys.exit(main())
