"""The composition root: builds every client, takes the Lease, lists, then watches and reconciles until SIGTERM.

What crashes a part ends the process with 1; its supervisor starts a fresh one, which finds in Kafka and in the
resources' statuses how far the last one came.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack

import kopf

from signalink_core.errors import ConfigurationError
from signalink_core.internal import InternalServer
from signalink_core.lifecycle import Lifecycle, until_stopped
from signalink_core.readiness import Readiness
from signalink_core.telemetry import logging
from signalink_operator.adapters import channels as channels_api
from signalink_operator.adapters import kafka, kube, login
from signalink_operator.canary import Canary
from signalink_operator.handlers.watch import Watch
from signalink_operator.intake import Intake
from signalink_operator.keyqueue import KeyQueue
from signalink_operator.kinds.base import Kind
from signalink_operator.kinds.channels import ChannelKind, Channels
from signalink_operator.kinds.topics import TopicKind, Topics
from signalink_operator.lease import Lease
from signalink_operator.plans import selector
from signalink_operator.reconciler import Reconciler
from signalink_operator.settings import SERVICE, Settings
from signalink_operator.store import Store

log = logging.get_logger(__name__)


class Operator(Lifecycle):
    """All parts of one operator. Starting returns at once; `working`: the Lease is held and all is listed.

    `channels` None: Channel resources are not looked at.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Topics,
        access: kopf.ConnectionInfo,
        stop: asyncio.Event | None = None,
        channels: Channels | None = None,
    ) -> None:
        super().__init__()
        own = settings.operator
        check(own.selector)
        self._settings, self._topics = settings, topics
        self.readiness = Readiness()
        self.working = asyncio.Event()
        self.kube = kube.Kube(login.connection(access), own.writes_in_flight)
        self.store = Store(own.cluster_ref, own.selector, own.watch_namespaces)
        self.queue = KeyQueue(own.queue_keys, own.batch_keys, own.batch_wait_ms / 1000)
        served = self._kinds(channels)
        kinds = [kind.name for kind in served]
        self.reconciler = Reconciler(self.store, self.queue, served, self.kube, own)
        self.canary = Canary(self.kube, own.namespace, kinds, own.canary_seconds, own.stale_seconds)
        self.intake = Intake(
            self.store,
            self.queue,
            self.reconciler,
            self.canary,
            self.kube,
            kinds,
            own.resync_seconds,
            own.watch_namespaces,
        )
        self.lease = Lease(
            self.kube,
            own.namespace,
            f"signalink-operator-{own.cluster_ref}",
            f"{settings.process.node}-{uuid.uuid4().hex[:8]}",
            own.lease_seconds,
        )
        self.watch = Watch(self.intake, access, kinds, self._watched(), stop)
        self._internal = InternalServer(settings.process, self.readiness, unwell=self.unwell)

    def _kinds(self, channels: Channels | None) -> list[Kind]:
        """Topics first: what a Channel refers to is listed before it."""
        own = self._settings.operator
        kinds: list[Kind] = [TopicKind(self._topics, own.allowed_config)]
        if channels is not None:
            carried = frozenset(key for key, _, _ in selector.terms(own.selector))
            kinds.append(ChannelKind(channels, self.kube, self.store, carried))
        return kinds

    @property
    def parts(self) -> list[Lifecycle]:
        return [self, self.lease, self.reconciler, self.intake, self.canary, self.watch]

    @property
    def port(self) -> int:
        return self._internal.port

    def unwell(self) -> str | None:
        """Why this process should be started anew, for /healthz."""
        own = self._settings.operator
        if (kind := self.canary.silent_kind()) is not None:
            return f"the watch of {kind} brought nothing back for {own.stale_seconds:.0f} s"
        if self.reconciler.longest_batch_seconds > own.stalled_seconds:
            return f"a batch has been worked on for {own.stalled_seconds:.0f} s"
        return None

    async def _start(self) -> None:
        await self.enter(self._internal)
        await self.enter(self.kube)
        self.spawn(self._begin(), "begin")

    async def _begin(self) -> None:
        await self.enter(self.lease)
        await self.lease.acquire()
        try:
            await self.enter(self.reconciler)
            await self.enter(self.canary)
            await self.enter(self.intake)
        except kube.Gone as error:
            raise ConfigurationError(
                f"The resource definitions are not installed: {error.detail}",
                next_step="kubectl apply --server-side --force-conflicts -f operator/crds/",
            ) from error
        await self.enter(self.watch)
        self.readiness.start()
        self.working.set()
        log.info("operator_working", resources=len(self.store))
        await self._warn()

    async def _warn(self) -> None:
        """Once: a broker that makes topics by itself makes them before their resources say how."""
        if await asyncio.to_thread(self._topics.makes_topics_by_itself):
            log.warning(
                "broker_makes_topics", setting="auto.create.topics.enable", next="set it to false in the broker"
            )

    async def _stop(self) -> None:
        self.readiness.drain()

    def _watched(self) -> list[str]:
        own = self._settings.operator
        if not own.watch_namespaces or not own.canary_seconds:
            return list(own.watch_namespaces)
        return sorted({*own.watch_namespaces, own.namespace})


def check(labels: str) -> None:
    try:
        selector.terms(labels)
    except ValueError as error:
        raise ConfigurationError(
            f"Setting SIGNALINK_OPERATOR_SELECTOR: {error}.", next_step="correct it and start again."
        ) from error


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run until `stop` is set or kopf was told to stop; raises what crashed a part."""
    async with AsyncExitStack() as stack:
        channels = _channels(settings)
        if channels is not None:
            await stack.enter_async_context(channels)
        topics = kafka.KafkaTopics(settings.kafka)
        operator = await stack.enter_async_context(Operator(settings, topics, login.find(), stop, channels))
        await until_stopped(stop, *operator.parts)


def _channels(settings: Settings) -> channels_api.ApiChannels | None:
    """The way to the api; without its address or a token for it, one line says that Channels are left alone."""
    api = settings.api
    if api.missing or api.operator_api_token_file is None:
        log.info("channels_not_served", next=f"set {' and '.join(api.missing)}")
        return None
    return channels_api.ApiChannels(api.api_url, api.operator_api_token_file, settings.operator.writes_in_flight)


async def main(stop: asyncio.Event) -> None:
    """What `process.run` runs."""
    log.info("operator_starting", service=SERVICE)
    await serve(Settings.from_env(), stop)
