"""The dispatcher: consumes topic `notifications` into deliveries, and sends them by e-mail, push and webhook.

Owns which parts there are and how they are put together. Any number of processes may run one: partitions are shared by
the group, deliveries by leases.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from signalink_core.database.outage import AWAY
from signalink_core.database.pool import Pool
from signalink_core.kafka.consumer import ConsumerLimits, KafkaConsumerManager
from signalink_core.kafka.offsets import PostgresOffsets
from signalink_core.kafka.records import Producer
from signalink_core.lifecycle import Lifecycle
from signalink_core.readiness import Readiness, State
from signalink_core.settings import KafkaSettings
from signalink_core.telemetry import logging
from signalink_notifications import SCHEMA
from signalink_notifications.channels.email import EmailChannel
from signalink_notifications.channels.port import Channel
from signalink_notifications.channels.push import PushChannel
from signalink_notifications.channels.webhook import WebhookChannel
from signalink_notifications.delivery import intake
from signalink_notifications.delivery.breaker import Breakers
from signalink_notifications.delivery.current import Current
from signalink_notifications.delivery.letters import GROUP, TOPIC, Letters
from signalink_notifications.delivery.rows import Deliveries
from signalink_notifications.delivery.sending import Sender
from signalink_notifications.delivery.settings import ChannelSettings, DeliverySettings
from signalink_notifications.delivery.turns import Turns
from signalink_notifications.delivery.work import Limits, Means
from signalink_notifications.egress import Resolver

CONSUMER_LIMITS: Final = ConsumerLimits(batch_records=200)
PRUNE_SECONDS: Final = 3600.0
DISPATCHER: Final = "dispatcher"
"""Before the names of what the consumer depends on; a channel goes by its own."""
log = logging.get_logger(__name__)


class Dispatcher(Lifecycle):
    """`unsubscribe`: the signed link for a user's mails. `resolver`: for webhooks; tests have one that rebinds."""

    def __init__(
        self,
        settings: DeliverySettings,
        kafka: KafkaSettings,
        pool: Pool,
        producer: Producer,
        readiness: Readiness,
        *,
        node: str,
        unsubscribe: Callable[[UUID], str],
        resolver: Resolver | None = None,
    ) -> None:
        super().__init__()
        self._settings, self._kafka, self._pool, self._producer = settings, kafka, pool, producer
        self._readiness, self._node, self._unsubscribe, self._resolver = readiness, node, unsubscribe, resolver
        self._deliveries = Deliveries(pool, node, settings.dispatch.lease_seconds)

    async def _start(self) -> None:
        channels = (
            (EmailChannel(self._settings.email), self._settings.email),
            (await self.enter(PushChannel(self._settings.push)), self._settings.push),
            (await self.enter(WebhookChannel(self._settings.webhook, self._resolver)), self._settings.webhook),
        )
        parts: list[Lifecycle] = [Sender(self._means(channel, settings)) for channel, settings in channels]
        parts.append(self._consumer())
        for part in parts:
            await self.enter(part)
            self.spawn(_crashed(part), "dispatcher-part")
        self.spawn(self._prune(), "dispatcher-prune")

    def _consumer(self) -> KafkaConsumerManager:
        return KafkaConsumerManager(
            self._kafka,
            group=GROUP,
            topics=(TOPIC,),
            apply=intake.apply,
            store=PostgresOffsets(self._pool, SCHEMA, GROUP),
            dead_letters=self._producer,
            node=self._node,
            limits=CONSUMER_LIMITS,
            report=self._report,
        )

    def _means(self, channel: Channel, settings: ChannelSettings) -> Means:
        dispatch = self._settings.dispatch
        if channel.disabled:
            self._readiness.set(channel.name, "ok", f"disabled: {channel.disabled}")
            log.info("channel_disabled", channel=channel.name, reason=channel.disabled)
        else:
            self._readiness.set(channel.name, "ok")
        return Means(
            channel,
            self._deliveries,
            Current(self._pool),
            Letters(self._deliveries, self._producer),
            Breakers(channel.name, dispatch.rules, time.monotonic, self._told(channel)),
            Turns(settings.at_once_per_provider),
            settings.policy,
            Limits(
                settings.concurrency,
                settings.timeout_seconds,
                dispatch.lease_seconds,
                dispatch.poll_seconds,
                timedelta(hours=dispatch.expire_hours),
            ),
            self._unsubscribe,
        )

    def _told(self, channel: Channel) -> Callable[[bool], None] | None:
        """One user's dead webhook makes nothing of ours degraded."""
        if channel.name == "webhook":
            return None

        def told(opened: bool) -> None:
            self._readiness.set(
                channel.name, "degraded" if opened else "ok", "a provider is left alone for a while" if opened else ""
            )

        return told

    def _report(self, dependency: str, state: State, detail: str) -> None:
        self._readiness.set(f"{DISPATCHER}_{dependency}", state, detail)

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_SECONDS)
            try:
                await self._deliveries.prune(self._settings.dispatch.keep_days)
            except AWAY as error:
                log.warning("prune_failed", group=GROUP, reason=type(error).__name__)


async def _crashed(part: Lifecycle) -> None:
    """A part's crash is the dispatcher's: its process ends, and a fresh one goes on."""
    raise await part.failed
