"""A circuit breaker per provider: after some failures in a row it is left alone for a while, then tried by one call.

The machine is pure: what it knows and the time in, what it knows then out. `Breakers` keeps one per provider that is
failing, counts the open ones and tells of changes. A delivery that meets an open breaker waits and loses no attempt.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from signalink_core.telemetry import logging, names

MOST_PROVIDERS: Final = 10_000
PROBE_SECONDS: Final = 60.0
"""A probe that nobody reported on is given up after so long: its task was cancelled."""
State = Literal["closed", "open", "half_open"]
log = logging.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """Open after `failures` in a row, for `open_seconds`, twice as long each time a probe fails, up to the cap."""

    failures: int = 5
    open_seconds: float = 10.0
    cap_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """`until`: left alone until then; `opened`: how often in a row; `probe_until`: one call is trying it."""

    failures: int = 0
    opened: int = 0
    until: float | None = None
    probe_until: float | None = None


def state(breaker: Breaker, now: float) -> State:
    if breaker.until is None:
        return "closed"
    return "open" if now < breaker.until else "half_open"


def admit(breaker: Breaker, now: float) -> tuple[Breaker, float]:
    """Whether one call may go: 0.0, or the seconds to wait."""
    match state(breaker, now):
        case "closed":
            return breaker, 0.0
        case "open":
            return breaker, (breaker.until or now) - now
    if breaker.probe_until is not None and now < breaker.probe_until:
        return breaker, min(1.0, breaker.probe_until - now)
    return replace(breaker, probe_until=now + PROBE_SECONDS), 0.0


def succeeded(_: Breaker) -> Breaker:
    """The provider answered, be it with a refusal."""
    return Breaker()


def failed(breaker: Breaker, now: float, rules: Rules) -> Breaker:
    """A call failed; one that began before the breaker opened counts too, but does not open it further."""
    failures = breaker.failures + 1
    if state(breaker, now) == "open" or (breaker.until is None and failures < rules.failures):
        return replace(breaker, failures=failures)
    seconds = min(rules.cap_seconds, rules.open_seconds * 2.0 ** min(breaker.opened, 32))
    return Breaker(failures, breaker.opened + 1, now + seconds)


class Breakers:
    """Of one channel. `report` hears whether any is open, with a text for people."""

    def __init__(
        self, channel: str, rules: Rules, clock: Callable[[], float], report: Callable[[bool], None] | None = None
    ) -> None:
        self._channel, self._rules, self._clock, self._report = channel, rules, clock, report
        self._failing: OrderedDict[str, Breaker] = OrderedDict()

    def admit(self, provider: str) -> float:
        """Seconds to wait before this provider may be called; 0.0: now."""
        known = self._failing.get(provider)
        if known is None:
            return 0.0
        self._failing[provider], seconds = admit(known, self._clock())
        return seconds

    def note(self, provider: str, ok: bool) -> None:
        """What came of a call."""
        before = self._failing.pop(provider, None)
        now = self._clock()
        if ok:
            if before is not None and before.until is not None:
                log.info("breaker_closed", channel=self._channel, failures=before.failures)
        else:
            after = failed(before or Breaker(), now, self._rules)
            self._failing[provider] = after
            if len(self._failing) > MOST_PROVIDERS:
                self._failing.popitem(last=False)
            if after.until is not None and after != before and after.opened > (before.opened if before else 0):
                log.warning(
                    "breaker_opened", channel=self._channel, failures=after.failures, seconds=round(after.until - now)
                )
        self._tell()

    def _tell(self) -> None:
        opened = sum(breaker.until is not None for breaker in self._failing.values())
        names.NOTIFICATION_BREAKERS_OPEN.labels(channel=self._channel).set(opened)
        if self._report is not None:
            self._report(opened > 0)
