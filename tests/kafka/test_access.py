"""Access rights: the table as numbers, its idempotent application, and the whole matrix on a real broker."""

import asyncio
import itertools
import logging
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from signalink_core.kafka import access
from signalink_core.kafka.producer import KafkaProducer
from signalink_core.kafka.records import Record
from signalink_core.principals import PRINCIPALS, KafkaAcl, Principal, kafka_principals
from signalink_core.settings import KafkaSettings
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import Failure, KafkaTopics
from signalink_operator.settings import Deadlines
from signalink_stacks.local.testing import Brokers, Topics

NAMES = ("messages", "notifications", "analytics", "presence")
DEAD = tuple(f"dlq.{name}" for name in NAMES)
MAY_WRITE = {
    "relay": {*NAMES, *DEAD},  # and every other topic under the prefix: those that channels name
    "gateway": {"presence"},
    "analytics": {*DEAD},
    "notifications": {"notifications", *DEAD},
}
MAY_READ = {
    "analytics": {"messages", "analytics", "presence"},
    "notifications": {"messages", "presence", "notifications"},
    "prober": {*NAMES, *DEAD},
}
PRINCIPALS_HERE = [name for name in kafka_principals() if name != "admin"]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("aiokafka").setLevel(logging.NOTSET)


def test_the_api_has_no_account_on_kafka() -> None:
    assert "api" not in kafka_principals()
    assert access.entries(PRINCIPALS["api"], "") == set()


def test_a_right_over_everything_stays_within_the_prefix() -> None:
    everything = Principal("p", kafka_acls=(KafkaAcl("topic", "", ("describe",), "prefixed"),))
    (within,) = access.entries(everything, "team.")
    (without,) = access.entries(everything, "")
    assert (within.name, within.pattern) == ("team.", access.PATTERNS["prefixed"])
    assert (without.name, without.pattern) == ("*", access.PATTERNS["literal"])


async def test_a_second_apply_changes_nothing(topics: Topics) -> None:
    again = await access.apply(topics.settings())
    assert (again.created, again.removed) == (0, 0)
    assert again.unchanged > 0


async def test_what_the_table_no_longer_names_is_removed_and_strangers_are_left_alone(topics: Topics) -> None:
    extra = Principal("relay", kafka_acls=(KafkaAcl("topic", "extra", ("write",)),))
    await access.apply(topics.settings(), [Principal("stranger", kafka_acls=(KafkaAcl("topic", "s", ("read",)),))])
    await access.apply(topics.settings(), [extra])
    back = await access.apply(topics.settings())
    assert (back.created, back.removed) == (len(access.entries(PRINCIPALS["relay"], topics.prefix)), 1)


async def _writes(settings: KafkaSettings, topic: str) -> bool:
    async with KafkaProducer(settings, deadline_seconds=5) as producer:
        return (await producer.send_batches([Record(topic, b"k", b"v")]))[0] is None


async def _reads(settings: KafkaSettings, topic: str) -> bool:
    consumer = AIOKafkaConsumer(
        settings.topic(topic), **settings.client_kwargs(), request_timeout_ms=5000, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        async with asyncio.timeout(20):
            await consumer.getone()
    except KafkaError:
        return False
    finally:
        await consumer.stop()
    return True


async def _matrix(topics: Topics) -> dict[tuple[str, str, str], bool]:
    """(principal, operation, topic) -> allowed, as the broker decides."""
    await asyncio.to_thread(apply.run, manifests.load([manifests.SHIPPED]), KafkaTopics(topics.settings("operator")))
    async with KafkaProducer(topics.settings()) as admin:
        assert await admin.send_batches([Record(name, b"k", b"v") for name in (*NAMES, *DEAD)]) == [None] * 8
    limit = asyncio.Semaphore(8)

    async def cell(principal: str, operation: str, topic: str) -> bool:
        ask = _writes if operation == "write" else _reads
        async with limit:
            return await ask(topics.settings(principal), topic)

    keys = list(itertools.product(PRINCIPALS_HERE, ("read", "write"), (*NAMES, *DEAD)))
    return dict(zip(keys, await asyncio.gather(*(cell(*key) for key in keys)), strict=True))


def _promised() -> dict[tuple[str, str, str], bool]:
    table = {"read": MAY_READ, "write": MAY_WRITE}
    return {
        (principal, operation, topic): topic in table[operation].get(principal, set())
        for principal, operation, topic in itertools.product(PRINCIPALS_HERE, table, (*NAMES, *DEAD))
    }


async def test_the_broker_allows_exactly_what_the_table_promises(topics: Topics) -> None:
    found = await _matrix(topics)
    assert {key for key, allowed in found.items() if allowed} == {key for key, may in _promised().items() if may}
    assert len(found) == len(PRINCIPALS_HERE) * 2 * 8


def test_only_the_operator_may_make_topics(topics: Topics) -> None:
    wanted = manifests.load([manifests.SHIPPED])[:1]
    for principal in ("relay", "gateway", "prober"):
        (result,) = apply.run(wanted, KafkaTopics(topics.settings(principal)))
        assert result.outcome == "refused"
        assert result.why.startswith(("AccessDenied", "CreateDenied"))
    (result,) = apply.run(wanted, KafkaTopics(topics.settings("operator")))
    assert result.outcome == "created"


def test_nobody_works_outside_their_prefix(kafka: Brokers, topics: Topics) -> None:
    outside = KafkaTopics(kafka.settings("operator", "elsewhere-" + topics.prefix))
    (result,) = apply.run(manifests.load([manifests.SHIPPED])[:1], outside)
    assert result.outcome == "refused"


async def test_a_matrix_with_nothing_or_everything_allowed_is_noticed(topics: Topics) -> None:
    everything = tuple(KafkaAcl("topic", "", ("all",), "prefixed") for _ in range(1))
    await access.apply(topics.settings(), [Principal(name, kafka_acls=everything) for name in PRINCIPALS_HERE])
    assert all((await _matrix(topics)).values())
    await access.apply(topics.settings(), [Principal(name) for name in PRINCIPALS_HERE if name != "operator"])
    assert not any(
        [await _writes(topics.settings("relay"), "messages"), await _reads(topics.settings("prober"), "messages")]
    )


def test_a_wrong_password_is_named_as_such(kafka: Brokers, topics: Topics) -> None:
    wrong = KafkaSettings(
        bootstrap=kafka.bootstrap,
        user="operator",
        password_file=kafka.engine.password_file("relay"),
        security="sasl_plaintext",
    )
    seen = KafkaTopics(wrong, Deadlines(call_seconds=3)).observe(["messages"])["messages"]
    assert isinstance(seen, Failure)
    assert seen.reason == "KafkaUnauthenticated"
