"""Owns `signalink migrate`: bring every service's schema to its newest revision, the platform running or stopped."""

import asyncio

from signalink_core.database import migrate as migrations
from signalink_labs.cli import output
from signalink_stacks.local import discovery, maintenance
from signalink_stacks.local.state import StateFolder


def migrate(as_json: output.Json = False) -> None:
    """Apply the migrations of every service."""
    reached: dict[str, str | None] = {}
    with maintenance.owner(StateFolder()) as settings:
        for manifest in discovery.manifests():
            if manifest.database is not None:
                schema, package = manifest.database.schema_, manifest.database.migrations
                reached[schema] = asyncio.run(migrations.upgrade(settings, package=package, schema=schema))
    if as_json:
        output.document(reached)
        return
    for schema, revision in reached.items():
        output.text(f"{schema} is at revision {revision}")
