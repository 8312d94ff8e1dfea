"""Decides, purely, what the facts about a message mean: its hops in order, and where it is stuck if it is.

done     the message has passed here        waiting   it has not come here yet
idle     nobody here needs it               unknown   this part could not be asked
off      this part was not chosen to run
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from signalink_core.kafka.search import Found
from signalink_labs.journey.nodes import Node
from signalink_labs.journey.stores import MOST_WAITING, Stored
from signalink_stacks.local.tracelines import TraceLine

Status = Literal["done", "waiting", "idle", "unknown", "off"]


@dataclass(frozen=True, slots=True)
class Hop:
    """`at`: when it passed, None where that is not known; `source`: what says so."""

    part: str
    status: Status
    what: str
    at: datetime | None = None
    source: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was asked. `record`: what Kafka holds, or why it could not be asked; None: nothing to look for.

    `off`: parts that were not chosen to run.
    """

    stored: Stored
    record: Found | str | None
    nodes: Sequence[Node]
    lines: Sequence[TraceLine]
    off: Collection[str] = ()


def of(facts: Facts) -> list[Hop]:
    gateways = [_gateway(facts, node) for node in facts.nodes if node.name.startswith("gateway-")]
    absent = [Hop("gateway", "off", "It was not chosen to run.")] if "gateway" in facts.off else []
    return [_api(facts), _log(facts), _relay(facts), _kafka(facts), *gateways, *absent]


def verdict(hops: Sequence[Hop]) -> tuple[bool, str]:
    """Whether it went all the way, and one sentence for a person."""
    stuck = [hop for hop in hops if hop.status in {"waiting", "unknown"}]
    if not stuck:
        off = [hop.part for hop in hops if hop.status == "off"]
        return True, f"It went all the way; off: {', '.join(off)}." if off else "It went all the way."
    done = [hop.part for hop in hops if hop.status == "done"]
    missing = ", ".join(f"{hop.part} {'not yet' if hop.status == 'waiting' else 'not known'}" for hop in stuck)
    return False, f"{', '.join(done)}: yes; {missing}. {stuck[0].what}"


def uuid_time(message_id: UUID) -> datetime:
    """The millisecond in a UUIDv7: when the api made the id, taking the post."""
    return datetime.fromtimestamp((message_id.int >> 80) / 1000, UTC)


def _logged(facts: Facts, service: str, event: str) -> datetime | None:
    """When a process first logged it."""
    for line in facts.lines:
        if line.event == event and line.process.startswith(service):
            return datetime.fromisoformat(line.at)
    return None


def _api(facts: Facts) -> Hop:
    row = facts.stored.row
    what = f"took the post of {row['sender']} (client_id {row['client_id']})"
    answered = next((line for line in facts.lines if line.event == "request_done"), None)
    details: dict[str, Any] = {"sender_id": row["sender_id"], "client_id": row["client_id"]}
    if answered is not None:
        what += f"; {answered.process} answered {answered.fields['status']} after {answered.fields['ms']} ms"
        details |= {"process": answered.process, "status": answered.fields["status"], "ms": answered.fields["ms"]}
    return Hop("api", "done", what, uuid_time(row["message_id"]), "message id", details)


def _log(facts: Facts) -> Hop:
    row = facts.stored.row
    if not facts.stored.in_log:
        what = f"seq {row['seq']} of {row['channel']}; its event went by retention"
        return Hop("log", "done", what, row["created_at"], "message")
    names = ("event_id", "event_row", "epoch", "xid", "shard", "topic", "seq", "occurred_at")
    details = {name: row[name] for name in names} | {"committed_at": facts.stored.committed}
    at, source = (facts.stored.committed, "commit time") if facts.stored.committed else (row["occurred_at"], "insert")
    what = f"seq {row['seq']} of {row['channel']}, event row {row['event_row']}, xid {row['xid']}, shard {row['shard']}"
    return Hop("log", "done", what, at, source, details)


def _relay(facts: Facts) -> Hop:
    row = facts.stored.row
    if not facts.stored.in_log:
        return Hop("relay", "idle", "there is no event left to relay")
    names = ("cursor_epoch", "cursor_xid", "cursor_row", "holder", "lease_until", "waiting")
    details = {name: row[name] for name in names}
    if row["relayed"]:
        at = _logged(facts, "relay", "events_published")
        source = "" if at is None else "log line"
        return Hop("relay", "done", f"the cursor of shard {row['shard']} is past it", at, source, details)
    if "relay" in facts.off:
        return Hop("relay", "off", "It was not chosen to run; the log keeps the event for it.", details=details)
    count = f"{MOST_WAITING} or more" if row["waiting"] >= MOST_WAITING else str(row["waiting"])
    what = f"The cursor of shard {row['shard']} is not past it, {count} events are before it: {_held_by(facts)}."
    return Hop("relay", "waiting", what, details=details)


def _held_by(facts: Facts) -> str:
    """Why the relay has not come there, as far as anybody says."""
    row = facts.stored.row
    relays = [node for node in facts.nodes if node.name.startswith("relay-")]
    complaints = "; ".join(node.complaints for node in relays if node.complaints)
    if complaints:
        return complaints
    if row["hidden"]:
        return "an older transaction is still open in Postgres, and nothing is read past one"
    if not row["leased"]:
        return "no relay holds the lease of this shard"
    if isinstance(facts.record, str):
        return f"{facts.record.rstrip('.')}, so {row['holder']} waits for it"
    return f"{row['holder']} is at work on it"


def _kafka(facts: Facts) -> Hop:
    record = facts.record
    if "kafka" in facts.off:
        return Hop("kafka", "off", "It was not chosen to run.")
    if record is None:
        return Hop("kafka", "idle", "there is no event left to look for")
    if isinstance(record, str):
        return _unasked(facts, record)
    place = f"{record.topic}, partition {record.partition}"
    details = {"topic": record.topic, "partition": record.partition, "read": record.read, "end": record.end}
    if record.offset is None or record.timestamp_ms is None:
        return _not_found(facts, record, place, details)
    at = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
    details["offset"] = record.offset
    return Hop("kafka", "done", f"{place}, offset {record.offset}", at, "record", details)


def _unasked(facts: Facts, why: str) -> Hop:
    """The cursor moves after Kafka's acknowledgement, never before."""
    if facts.stored.row["relayed"]:
        return Hop("kafka", "unknown", f"The cursor says that Kafka has it, but {why[:1].lower()}{why[1:]}")
    return Hop("kafka", "waiting", why)


def _not_found(facts: Facts, record: Found, place: str, details: dict[str, Any]) -> Hop:
    if not facts.stored.row["relayed"]:
        return Hop("kafka", "waiting", f"It is not in {place}.", details=details)
    if not record.complete:
        what = f"The first {record.read} records of {place} since then do not hold it."
    else:
        letters = f"dlq.{facts.stored.row['topic']}"
        what = f"{place} does not hold it any more (retention), or it was refused: look into {letters}."
    return Hop("kafka", "unknown", what, details=details)


def _gateway(facts: Facts, node: Node) -> Hop:
    row, seen = facts.stored.row, node.channel
    if seen is None:
        return Hop(node.name, "unknown", f"{node.name} {node.problem}.")
    if not seen["known"]:
        return Hop(node.name, "idle", "nobody is in this channel here", details=seen)
    position = f"the channel is at seq {seen['seq']}, {seen['sessions']} sessions are in it"
    if seen["epoch"] == row["channel_epoch"] and seen["seq"] is not None and seen["seq"] >= row["seq"]:
        at = _logged(facts, node.name, "event_taken")
        return Hop(node.name, "done", position, at, "" if at is None else "log line", seen)
    why = "it reads the log now" if seen["healing"] else "it heals within two seconds"
    if not seen["bus_connected"]:
        why = "it has lost Redis and reads the log every few seconds"
    return Hop(node.name, "waiting", f"{position}: {why}.".capitalize(), details=seen)
