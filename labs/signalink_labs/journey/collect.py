"""Puts the questions about one message to the running local platform, side by side, each with its own timeout."""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from signalink_core.errors import DependencyUnavailable
from signalink_core.kafka import search
from signalink_core.settings import KafkaSettings
from signalink_core.telemetry.trace import trace_id_of
from signalink_labs.journey import hops, nodes, stores
from signalink_labs.journey.hops import Facts, Hop
from signalink_labs.journey.stores import Stored
from signalink_stacks.local import layout, schema, tracelines
from signalink_stacks.local.state import RunState, StateFolder

READER: Final = "prober"
"""The principal that may read every topic and writes nothing."""
MARGIN_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Journey:
    """The answer: `complete` when it went all the way, `verdict` says it in a sentence."""

    stored: Stored
    trace_id: str | None
    hops: list[Hop]
    complete: bool
    verdict: str


async def journey(folder: StateFolder, state: RunState, message_id: UUID) -> Journey:
    """NotFound, or DependencyUnavailable when Postgres, which alone knows the message, does not answer."""
    stored = await stores.find(schema.settings(folder.secrets, state.ports["postgres"], "owner"), message_id)
    row = stored.row
    trace_id = trace_id_of(row["traceparent"])
    record, found = await asyncio.gather(
        _record(folder, state, stored),
        nodes.ask(state.processes, folder.secrets.path("inspect-token"), row["channel_id"]),
    )
    lines = [] if trace_id is None else tracelines.of_trace(folder.logs, trace_id)
    way = hops.of(Facts(stored, record, found, lines, state.off))
    complete, verdict = hops.verdict(way)
    return Journey(stored, trace_id, way, complete, verdict)


async def _record(folder: StateFolder, state: RunState, stored: Stored) -> search.Found | str | None:
    row = stored.row
    if not stored.in_log or "kafka" in state.off:
        return None
    since = int(row["occurred_at"].timestamp() * 1000) - MARGIN_MS
    try:
        key = str(row["channel_id"]).encode()
        return await search.find_record(kafka(folder, state), row["topic"], key, row["event_id"], since_ms=since)
    except DependencyUnavailable as error:
        return error.detail


def kafka(folder: StateFolder, state: RunState) -> KafkaSettings:
    values = layout.bindings(READER, ["kafka"], state.ports, folder.secrets)
    return KafkaSettings(
        bootstrap=values["KAFKA_BOOTSTRAP"],
        user=values["KAFKA_USER"],
        password_file=folder.secrets.path(f"kafka-{READER}"),
        security="sasl_plaintext",
        topic_prefix=state.settings.get("TOPIC_PREFIX", ""),
    )
