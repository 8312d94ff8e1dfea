"""Owns `signalink get channels`: the channels of the running platform and who manages them, from its database.

Direct channels and deleted ones are left out. Bodies, names of members and who reads are nobody's business here.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from signalink_core.database import pool
from signalink_core.errors import ConfigurationError
from signalink_core.settings import PostgresSettings
from signalink_labs.cli import output
from signalink_stacks.local import maintenance
from signalink_stacks.local.state import StateFolder

# $1 slugs; an empty array means all.
LIST = """
SELECT c.slug, c.id::text AS id, c.name, c.kind AS visibility, c.managed_by, c.also_topic AS event_topic,
       c.archived_at IS NOT NULL AS archived,
       (SELECT count(*) FROM messaging.channel_members m WHERE m.channel_id = c.id) AS members
FROM messaging.channels c
WHERE c.slug IS NOT NULL AND (cardinality($1::text[]) = 0 OR c.slug = ANY ($1))
ORDER BY c.slug
"""


def channels(
    name: Annotated[list[str] | None, typer.Argument(help="Slugs; all without.")] = None,
    as_json: output.Json = False,
) -> None:
    """List channels: members, visibility, who manages them, and the further topic of their events."""
    with maintenance.owner(StateFolder()) as settings:
        found = asyncio.run(listed(settings, name or []))
    if as_json:
        output.document({"channels": found})
        return
    if found:
        output.console().print(table(found))
    output.text(f"{len(found)} channels")


async def listed(settings: PostgresSettings, slugs: Sequence[str]) -> list[dict[str, Any]]:
    """By slug. Raises ConfigurationError for one that is not there."""
    connection = await pool.connect(settings)
    try:
        found = [dict(row) for row in await connection.fetch(LIST, list(slugs))]
    finally:
        await connection.close()
    if missing := sorted(set(slugs) - {one["slug"] for one in found}):
        raise ConfigurationError(f"There is no channel {missing[0]}.", next_step="`signalink get channels` lists all.")
    return found


def table(found: Sequence[dict[str, Any]]) -> Table:
    result = Table(box=None, pad_edge=False)
    for heading in ("channel", "members", "visibility", "managed by", "topic", "state"):
        result.add_column(heading, justify="right" if heading == "members" else "left")
    for one in found:
        state = "archived" if one["archived"] else "open"
        holder = one["managed_by"] or "people"
        cells = (one["slug"], str(one["members"]), one["visibility"], holder, one["event_topic"] or "", state)
        result.add_row(*cells)
    return result
