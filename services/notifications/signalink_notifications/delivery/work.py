"""One group of deliveries on its way: what is true now, the attempt recorded, the provider called, the end recorded.

No transaction is open while a provider is called. The attempt is recorded before the call, so a crash in its middle
repeats that one call and no other; who was stopped for longer than the lease neither calls nor records.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from signalink_core import faults
from signalink_core.database.outage import AWAY
from signalink_core.errors import DependencyUnavailable, FaultInjected
from signalink_core.lifecycle import full_jitter
from signalink_core.telemetry import logging, names
from signalink_notifications.channels.port import Again, Channel, Never, Notice, Outcome, Outgoing, Sent, Target
from signalink_notifications.delivery import retries, verdicts
from signalink_notifications.delivery.breaker import Breakers
from signalink_notifications.delivery.current import Current
from signalink_notifications.delivery.letters import Letters
from signalink_notifications.delivery.retries import Policy
from signalink_notifications.delivery.rows import LETTER_WAITS, Deliveries, Held, Stale
from signalink_notifications.delivery.turns import Turns
from signalink_notifications.delivery.verdicts import Now, Send, Skip, Wait

KAFKA_WAIT_SECONDS: Final = 5.0
BUSY_SECONDS: Final = (1.0, 4.0)
_LEFT: Final[tuple[type[BaseException], ...]] = (*AWAY, DependencyUnavailable, Stale)
log = logging.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """`timeout_seconds`: of one call; it begins only while that much of the lease is left."""

    concurrency: int
    timeout_seconds: float
    lease_seconds: float
    poll_seconds: float
    expire: timedelta


@dataclass(frozen=True, slots=True)
class Means:
    """What sending through one channel takes. `unsubscribe`: the link for a user's mails."""

    channel: Channel
    deliveries: Deliveries
    current: Current
    letters: Letters
    breakers: Breakers
    turns: Turns
    policy: Policy
    limits: Limits
    unsubscribe: Callable[[UUID], str]


class Work:
    """One group on its way: a delivery, or the mails of one digest. `taken`: when, by the monotonic clock."""

    def __init__(self, means: Means, group: Sequence[Held], taken: float) -> None:
        self._means, self._channel, self._deliveries = means, means.channel, means.deliveries
        self._group = list(group)
        self._lease_ends = taken + means.limits.lease_seconds
        self._begun = False

    @property
    def _name(self) -> str:
        return self._channel.name

    def _count(self, result: str, by: int = 1) -> None:
        count(self._name, result, by)

    async def run(self) -> None:
        self._group = [one for one in self._group if not await self._over(one)]
        if not self._group:
            return
        facts = await self._means.current.read([one.id for one in self._group])
        going = await self._judged(facts)
        if going:
            self._group = [one for one, _ in going]
            now = facts[self._group[0].id]
            await self._send(now, [send.notice for _, send in going], going[0][1].targets)

    async def _over(self, one: Held) -> bool:
        """Whether it has had its attempts: all of them, the last one without an end, or enough to know."""
        reason = one.doomed or ("unknown_outcome" if one.made >= self._means.policy.attempts else None)
        if reason is not None:
            await self._give_up([one], reason)
        return reason is not None

    async def _judged(self, facts: Mapping[UUID, Now]) -> list[tuple[Held, Send]]:
        going: list[tuple[Held, Send]] = []
        for one in self._group:
            verdict = verdicts.judge(
                facts[one.id],
                channel=self._name,
                asked_at=one.asked_at,
                expire=self._means.limits.expire,
                disabled=bool(self._channel.disabled),
            )
            match verdict:
                case Skip(reason):
                    await self._skip([one], reason)
                case Wait(until):
                    seconds = (until - facts[one.id].at).total_seconds()
                    await self._deliveries.settle([one], "pending", reason="quiet", wait=max(0.0, seconds))
                    self._count("deferred")
                case Send():
                    going.append((one, verdict))
        return going

    async def _skip(self, held: Sequence[Held], reason: str, error: str | None = None) -> None:
        await self._deliveries.settle(held, "skipped", reason=reason, error=error)
        self._count("skipped", len(held))
        for one in held:
            log.info("delivery_skipped", channel=self._name, delivery=str(one.id), reason=reason)

    # -- the calls -------------------------------------------------------------------------------------------------

    async def _send(self, now: Now, notices: Sequence[Notice], targets: Sequence[Target]) -> None:
        """As soon as each provider has a place and is not left alone."""
        providers = {self._channel.provider(target) for target in targets}
        with self._means.turns.taken(providers) as free:
            if not free:
                await self._defer("provider_busy", random.uniform(*BUSY_SECONDS))  # noqa: S311 - spreads load
                return
            wait = max((self._means.breakers.admit(provider) for provider in providers), default=0.0)
            if wait:
                await self._defer("breaker_open", wait + random.uniform(0, min(wait, 1.0)))  # noqa: S311 - spreads load
                return
            await self._attempt(now, notices, targets)

    async def _defer(self, reason: str, seconds: float) -> None:
        """Not now, and no attempt."""
        self._count("deferred", len(self._group))
        await self._deliveries.settle(self._group, "pending", reason=reason, wait=seconds)

    async def _attempt(self, now: Now, notices: Sequence[Notice], targets: Sequence[Target]) -> None:
        """To every target that has no receipt yet."""
        first = self._group[0]
        key = first.key if first.attempts else first.id
        self._check_lease()
        await self._deliveries.begin(self._group, key)
        self._begun, self._lease_ends = True, time.monotonic() + self._means.limits.lease_seconds
        link = self._means.unsubscribe(first.user_id)
        outcomes: list[Outcome] = [Sent(receipt) for receipt in first.receipts.values()]
        for target in targets:
            if target.id not in first.receipts:
                outgoing = Outgoing(key, first.user_id, now.user_name, tuple(notices), target, link)
                outcomes.append(await self._call(outgoing, alone=len(targets) == 1))
        await self._conclude(outcomes)

    def _check_lease(self) -> None:
        """The clock runs on while a process is stopped, so whoever was stopped for long finds out here."""
        if time.monotonic() + self._means.limits.timeout_seconds > self._lease_ends:
            raise Stale("the lease is nearly over; it may be another's when the call ends.")

    async def _call(self, outgoing: Outgoing, *, alone: bool) -> Outcome:
        """One call to the provider, its metrics, and the receipt where others are still to be called."""
        provider = self._channel.provider(outgoing.target)
        began = time.perf_counter()
        outcome = await self._guarded(outgoing)
        names.NOTIFICATION_SECONDS.labels(channel=self._name).observe(time.perf_counter() - began)
        self._means.breakers.note(provider, not isinstance(outcome, Again))
        if isinstance(outcome, Never) and outcome.gone:
            await self._means.current.delete_device(outgoing.target.address, outcome.reason)
            log.info("device_deleted", channel=self._name, reason=outcome.reason)
        if isinstance(outcome, Sent) and not alone:
            await self._recorded(lambda: self._deliveries.receipt(self._group, outgoing.target.id, outcome.provider_id))
            self._lease_ends = time.monotonic() + self._means.limits.lease_seconds
        return outcome

    async def _guarded(self, outgoing: Outgoing) -> Outcome:
        try:
            await faults.point("notify.before_send", channel=self._name)
            self._check_lease()
            outcome = await self._channel.send(outgoing)
            await faults.point("notify.after_send", channel=self._name)
        except FaultInjected:
            return Again("fault_injected")
        return outcome

    # -- what came of them -------------------------------------------------------------------------------------------

    async def _conclude(self, outcomes: Sequence[Outcome]) -> None:
        match concluded(outcomes):
            case Sent(provider_id):
                await self._recorded(lambda: self._deliveries.settle(self._group, "sent", provider_id=provider_id))
                self._count("sent", len(self._group))
                self._told("delivery_sent")
            case Again(reason, after):
                await self._again(reason, after)
            case Never(reason, gone):
                self._count("rejected", len(self._group))
                if gone:
                    await self._skip(self._group, "no_target", reason)
                else:
                    await self._give_up(self._group, reason)

    async def _again(self, reason: str, after: float | None) -> None:
        """All of a group have made as many attempts as the one that made most: they go together."""
        self._count("retry", len(self._group))
        made = max(one.made for one in self._group) + 1
        wait = retries.wait(made, self._means.policy, random.random(), after)  # noqa: S311 - spreads load
        if wait is None:
            await self._give_up(self._group, reason)
            return
        await self._recorded(lambda: self._deliveries.settle(self._group, "pending", error=reason, wait=wait))
        self._told("delivery_delayed", reason=reason, attempt=made, seconds=round(wait, 1))

    async def _give_up(self, held: Sequence[Held], reason: str) -> None:
        """While Kafka does not confirm the letters, the deliveries wait as they are."""
        try:
            await self._means.letters.give_up(self._name, held, reason)
        except DependencyUnavailable:
            await self._deliveries.settle(held, "pending", reason=LETTER_WAITS, error=reason, wait=KAFKA_WAIT_SECONDS)
            raise
        self._count("failed", len(held))

    async def _recorded(self, work: Callable[[], Awaitable[None]]) -> None:
        """What a provider took must be recorded: tried for as long as nobody else may take the rows."""
        failures = 0
        while True:
            try:
                await work()
                return
            except AWAY:
                failures += 1
                if time.monotonic() > self._lease_ends:
                    raise
                await asyncio.sleep(full_jitter(failures, cap=1.0))

    def _told(self, event: str, **fields: object) -> None:
        write = log.info if event == "delivery_sent" else log.warning
        for one in self._group:
            write(event, channel=self._name, delivery=str(one.id), **fields)

    async def broke(self) -> None:
        """Nobody foresaw this. It counts as an attempt, so that it ends in a letter instead of going on for ever."""
        try:
            if not self._begun:
                await self._deliveries.begin(self._group, self._group[0].key)
            await self._again("internal_error", None)
        except _LEFT as error:
            log.warning("delivery_left", channel=self._name, count=len(self._group), reason=type(error).__name__)


def concluded(outcomes: Sequence[Outcome]) -> Outcome:
    """What several calls come to: again while one is to be repeated; sent if one target took it; else why not."""
    again = [one for one in outcomes if isinstance(one, Again)]
    if again:
        return Again(again[0].reason, max((one.retry_after or 0.0 for one in again), default=0.0) or None)
    sent = next((one for one in outcomes if isinstance(one, Sent)), None)
    never = [one for one in outcomes if isinstance(one, Never)]
    if sent is not None or not never:
        return sent or Sent("")
    return next((one for one in never if not one.gone), never[0])


def count(channel: str, result: str, by: int = 1) -> None:
    names.NOTIFICATION_ATTEMPTS_TOTAL.labels(channel=channel, result=result).inc(by)
