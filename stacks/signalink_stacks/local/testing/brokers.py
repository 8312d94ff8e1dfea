"""Owns the Kafka fixtures: one broker per session, and a topic prefix with its ACLs per test."""

import importlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalink_core import principals
from signalink_core.settings import KafkaSettings
from signalink_stacks.local.engines import KafkaEngine
from signalink_stacks.local.engines import kafka as kafka_engine
from signalink_stacks.local.testing.databases import run


class Brokers:
    """`settings(principal)` is what a service would read; `admin` is the super user."""

    def __init__(self, engine: KafkaEngine) -> None:
        self.engine = engine
        self.bootstrap = engine.bootstrap

    def settings(self, principal: str = principals.ADMIN, topic_prefix: str = "") -> KafkaSettings:
        return KafkaSettings(
            bootstrap=self.bootstrap,
            user=principal,
            password_file=self.engine.password_file(principal),
            security="sasl_plaintext",
            topic_prefix=topic_prefix,
        )


class Topics:
    """A name space of one test: its own topic prefix, in which each principal has its rights. Topics are not made."""

    def __init__(self, brokers: Brokers, prefix: str) -> None:
        self.brokers = brokers
        self.prefix = prefix

    def settings(self, principal: str = principals.ADMIN) -> KafkaSettings:
        return self.brokers.settings(principal, self.prefix)

    def name(self, topic: str) -> str:
        return self.prefix + topic


@pytest.fixture(scope="session")
def kafka(engine_folder: Path) -> Iterator[Brokers]:
    """The session's broker."""
    kafka_engine.setup()
    with KafkaEngine(engine_folder / "kafka") as engine:
        yield Brokers(engine)


@pytest.fixture
def topics(kafka: Brokers) -> Topics:
    """A fresh prefix on the session's broker, with the ACLs of every principal."""
    fresh = Topics(kafka, f"t{uuid.uuid4().hex[:10]}.")
    access = importlib.import_module("signalink_core.kafka.access")
    run(access.apply(fresh.settings()))
    return fresh
