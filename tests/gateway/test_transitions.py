"""Presence transitions to Kafka: what arrives, what is dropped, and that nobody waits for it."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import pytest

from signalink_core import ids
from signalink_core.events import from_record, kafka_headers, types
from signalink_core.kafka import reader
from signalink_core.kafka.errors import KafkaUnavailable, Problem, RecordRefused
from signalink_core.kafka.memory import MemoryKafka, MemoryProducer
from signalink_core.kafka.records import Record
from signalink_core.settings import KafkaSettings
from signalink_core.testing import eventually
from signalink_gateway.presence import Timing
from signalink_gateway.transitions import Transitions, record
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.ports import free_port
from signalink_stacks.local.testing import Topics

FAST = Timing(tick=0.02, beat=0.3, ttl=9, look=0.05, grace=0.3)
USERS = [ids.uuid7() for _ in range(5)]


def states_of(kafka: MemoryKafka, user: UUID) -> list[str]:
    return [msgspec.json.decode(r.value or b"")["state"] for r in kafka.read("presence") if r.key == str(user).encode()]


def test_a_transition_is_a_cloud_event_keyed_by_the_user() -> None:
    made = record(USERS[0], "dnd")
    event = from_record(made.headers, made.value)
    assert (event.type, event.source, event.subject) == (types.PRESENCE_CHANGED, "/signalink/gateway", str(USERS[0]))
    assert types.PresenceChanged.model_validate(event.data) == types.PresenceChanged(user_id=USERS[0], state="dnd")
    assert (event.channel, event.seq, made.key) == (None, None, str(USERS[0]).encode())
    assert list(made.headers) == kafka_headers(event)


async def test_transitions_of_one_user_arrive_in_order() -> None:
    kafka = MemoryKafka({"presence": 3})
    async with Transitions(MemoryProducer(kafka)) as transitions:
        for state in ("online", "away", "offline"):
            transitions.add(USERS[0], state)  # type: ignore[arg-type]
    assert states_of(kafka, USERS[0]) == ["online", "away", "offline"]


async def test_what_waits_for_kafka_is_bounded_and_the_newest_arrive() -> None:
    kafka = MemoryKafka({"presence": 1})
    kafka.available = False
    async with Transitions(MemoryProducer(kafka), limit=3) as transitions:
        for user in USERS:
            transitions.add(user, "online")
        await eventually(lambda: transitions._waiting.maxlen == 3 and transitions.dropped == 2)
        kafka.available = True
        await eventually(lambda: len(kafka.read("presence")) == 3, within=15)
    assert [r.key for r in kafka.read("presence")] == [str(user).encode() for user in USERS[2:]]


class Refusing:
    """Takes every second record; the first of the others is refused for ever, the rest for now."""

    outcomes: ClassVar[list[Problem | None]] = [None, RecordRefused("no"), KafkaUnavailable("later")]

    def __init__(self) -> None:
        self.calls: list[list[bytes]] = []

    async def send_batches(self, records: Sequence[Record]) -> list[Problem | None]:
        self.calls.append([each.key for each in records])
        return self.outcomes[: len(records)] if len(self.calls) == 1 else [None] * len(records)

    async def probe(self) -> Problem | None:
        return None


async def test_refused_ones_are_dropped_and_unanswered_ones_sent_again() -> None:
    producer = Refusing()
    async with Transitions(producer) as transitions:
        for user in USERS[:3]:
            transitions.add(user, "online")
        await eventually(lambda: len(producer.calls) == 2)
    assert transitions.dropped == 1
    assert producer.calls[1] == [str(USERS[2]).encode()]


async def test_without_kafka_configured_nothing_is_kept() -> None:
    async with Transitions(None) as transitions:
        transitions.add(USERS[0], "online")
        assert not transitions._waiting


def dead_kafka(tmp_path: Path) -> KafkaSettings:
    word = tmp_path / "word"
    word.write_text("secret")
    return KafkaSettings(bootstrap=f"127.0.0.1:{free_port()}", user="gateway", password_file=word, topic_prefix="")


@pytest.mark.engine("postgres", "valkey", "kafka")
async def test_transitions_of_two_nodes_arrive_in_the_real_topic_once(platform: Any, topics: Topics) -> None:
    apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(topics.settings("operator")))
    ana = await platform.user()
    kafka = topics.settings("gateway")
    one, two = await platform.gateway(kafka=kafka, presence=FAST), await platform.gateway(kafka=kafka, presence=FAST)
    phone = await platform.connect(one, ana)
    await eventually(lambda: two.people.view.nodes and one.people.transitions._idle.is_set())
    laptop = await platform.connect(two, ana)
    await eventually(lambda: one.people.view.elsewhere(ana) == "online")
    await laptop.say(op="presence", state="dnd")
    await eventually(lambda: one.people.view.elsewhere(ana) == "dnd")
    await phone.close()
    await eventually(lambda: ana not in one.people.roster)
    await laptop.close()

    async def arrived() -> bool:
        found = await reader.read_topic(topics.settings("prober"), "presence")
        events = [from_record(r.headers, r.value or b"") for r in found if r.key == str(ana).encode()]
        assert [event.data["state"] for event in events] == ["online", "dnd", "offline"]
        return True

    await eventually(arrived, within=30, every=0.5)


@pytest.mark.engine("postgres", "valkey")
async def test_with_kafka_down_nothing_changes_for_sockets(
    platform: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    ana, ben = await platform.user(), await platform.user()
    channel = await platform.channel(ana, ben)
    app = await platform.gateway(kafka=dead_kafka(tmp_path), presence=FAST)
    watcher = await platform.connect(app, ben)
    await watcher.subscribe(channel)
    await watcher.say(op="presence.watch", users=[ana])
    await watcher.got("presence")
    for _ in range(3):
        device = await platform.connect(app, ana)
        await watcher.got("presence", len(watcher.of("presence")))
        await device.close()
        await eventually(lambda: ana not in app.people.roster)
    assert await platform.post(channel, ana, 20)
    await watcher.saw(channel, 21)
    await eventually(lambda: len(watcher.of("presence")) == 7)
    assert app.readiness.ready
    assert all(each["state"] == "ok" for each in app.readiness.snapshot()["dependencies"].values())
    assert app.people.transitions._waiting
