"""A real broker beside the ground of a benchmark, with the platform's topics under a prefix of each run."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from machine import Cpus, pinned

from signalink_core import principals
from signalink_core.kafka import access
from signalink_core.settings import KafkaSettings
from signalink_operator import apply
from signalink_operator.adapters import manifests
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_stacks.local.credentials import Credentials
from signalink_stacks.local.engines import KafkaEngine
from signalink_stacks.local.engines import kafka as kafka_engine


class Broker:
    """A context; its data is in the folder it was given. On the CPUs of the engines, SASL on as in the product."""

    def __init__(self, folder: Path, credentials: Credentials, cpus: Cpus) -> None:
        self._engine = KafkaEngine(folder, credentials=credentials)
        self._cpus = cpus

    def __enter__(self) -> Self:
        kafka_engine.setup()
        with pinned(self._cpus.engines):
            self._engine.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._engine.__exit__(kind, error, at)

    @property
    def port(self) -> int:
        return self._engine.port

    def settings(self, prefix: str, principal: str = principals.ADMIN) -> KafkaSettings:
        return KafkaSettings(
            bootstrap=self._engine.bootstrap,
            user=principal,
            password_file=self._engine.password_file(principal),
            security="sasl_plaintext",
            topic_prefix=prefix,
        )

    def topics(self, prefix: str) -> None:
        """Fresh topics and their rights."""
        asyncio.run(access.apply(self.settings(prefix)))
        apply.run(manifests.load([manifests.SHIPPED]), KafkaTopics(self.settings(prefix, "operator")))
