"""Fault points: named places where a test or a lab makes this process fail, deterministically.

`await point("api.publish", channel=...)` costs one attribute check while no fault is set. Decision n of a fault is
f(seed, point, n): the same seed fails the same calls. A fault ends by itself, in this process, after its ttl. Off
unless SIGNALINK_FAULTS=on, and never on with SIGNALINK_ENVIRONMENT=prod. The control endpoint is internal.py's.
"""

import asyncio
import hashlib
import json
import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from signalink_core.errors import BadRequest, ConfigurationError, FaultInjected
from signalink_core.settings import ProcessSettings
from signalink_core.telemetry import names
from signalink_core.telemetry.logging import get_logger

Action = Literal["crash", "error", "delay_ms", "hang", "drop", "duplicate"]
CATALOGUE: Final = frozenset(
    {
        "api.post.before_commit",
        "api.post.after_commit",
        "api.publish",
        "relay.after_read",
        "relay.after_produce",
        "relay.after_cursor",
        "relay.after_copy",
        "relay.lease",
        "consumer.before_effect",
        "consumer.after_effect",
        "consumer.before_dlq",
        "consumer.crash",
        "notify.before_send",
        "notify.after_send",
        "gateway.drop_publish",
        "gateway.delay_write",
        "gateway.log_read",
        "gateway.accept",
        "db.connect",
        "redis.command",
        "kafka.produce",
        "operator.before_call",
        "operator.after_call",
        "operator.after_apply",
    }
)
LONGEST_TTL_SECONDS: Final = 900.0
log = get_logger(__name__)


class Fault(BaseModel):
    """What PUT /faults takes. `rate` is the share of matching calls that fail, `count` the most that do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    point: str
    action: Action
    rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    count: Annotated[int, Field(ge=1)] | None = None
    delay_ms: Annotated[int, Field(ge=1, le=60_000)] | None = None
    ttl_seconds: Annotated[float, Field(gt=0, le=LONGEST_TTL_SECONDS)] = 60.0
    seed: int = 0
    match: dict[str, str] = {}

    @model_validator(mode="after")
    def _makes_sense(self) -> "Fault":
        if self.point not in CATALOGUE:
            raise ValueError(f"unknown fault point {self.point!r}; known: {', '.join(sorted(CATALOGUE))}")
        if (self.action == "delay_ms") != (self.delay_ms is not None):
            raise ValueError("delay_ms goes with the action delay_ms and with no other")
        return self


@dataclass(frozen=True, slots=True)
class Fired:
    """A fault that fired; `drop` and `duplicate` are for the caller to carry out."""

    point: str
    action: Action
    delay_ms: int | None = None


def decide(seed: int, point: str, n: int, rate: float) -> bool:
    """Whether call `n` (from 1) fails: a uniform hash of (seed, point, n) below `rate`."""
    digest = hashlib.blake2b(f"{seed}\0{point}\0{n}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < math.ldexp(rate, 64)


@dataclass(slots=True)
class _Active:
    fault: Fault
    ends_at: float
    calls: int = 0
    fired: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def decision(self) -> bool:
        self.calls += 1
        fault = self.fault
        if fault.count is not None and self.fired >= fault.count:
            return False
        if not decide(fault.seed, fault.point, self.calls, fault.rate):
            return False
        self.fired += 1
        return True


class Faults:
    """The faults of one process, at most one per point. `clock` is monotonic seconds; `kill` ends the process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, kill: Callable[[], None] | None = None) -> None:
        self.active: dict[str, _Active] = {}
        self.enabled = False
        self._clock = clock
        self._kill = kill or _kill_myself

    def configure(self, settings: ProcessSettings) -> None:
        """Allow faults or forbid them; forbidding clears what is set."""
        if settings.faults == "on" and settings.environment == "prod":
            raise ConfigurationError(
                "Fault points are on in the environment prod.",
                next_step="set SIGNALINK_FAULTS=off, or SIGNALINK_ENVIRONMENT=local for a lab.",
            )
        self.enabled = settings.faults == "on"
        if not self.enabled:
            self.clear()
        elif settings.faults_file is not None:
            self._put_all(settings.faults_file)

    def _put_all(self, path: Path) -> None:
        """Set every fault of a file; ConfigurationError names the file and what is wrong with it."""
        try:
            bodies = json.loads(path.read_text(encoding="utf-8"))
            for body in bodies if isinstance(bodies, list) else [bodies]:
                self.put(body)
        except (OSError, ValueError, BadRequest) as error:
            raise ConfigurationError(
                f"The faults in {path} cannot be set: {error}", next_step="correct the file, a JSON list of faults."
            ) from error

    def put(self, body: object) -> Fault:
        """Set a fault, replacing the one at its point. Raises BadRequest with what is allowed."""
        if not self.enabled:
            raise ConfigurationError("Fault points are off.", next_step="start the process with SIGNALINK_FAULTS=on.")
        try:
            fault = Fault.model_validate(body)
        except ValidationError as error:
            found = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'fault'}: {e['msg']}" for e in error.errors())
            raise BadRequest(f"The fault was refused: {found}.") from error
        self.clear(fault.point)
        self.active[fault.point] = _Active(fault, self._clock() + fault.ttl_seconds)
        names.FAULT_ACTIVE.labels(point=fault.point).set(1)
        log.warning("fault_set", **fault.model_dump())
        return fault

    def clear(self, point: str | None = None) -> None:
        """Remove the fault at `point`, or all; what hangs at it goes on."""
        for name in [point] if point is not None else list(self.active):
            if (ended := self.active.pop(name, None)) is not None:
                ended.over.set()
                names.FAULT_ACTIVE.labels(point=name).set(0)
                log.info("fault_ended", point=name, fired=ended.fired, calls=ended.calls)

    def report(self) -> list[dict[str, Any]]:
        """What is set now, with its counts and the seconds it has left; ends what is past its ttl."""
        now = self._clock()
        for name in [name for name, one in self.active.items() if one.ends_at <= now]:
            self.clear(name)
        return [
            {**one.fault.model_dump(), "fired": one.fired, "calls": one.calls, "seconds_left": one.ends_at - now}
            for one in self.active.values()
        ]

    def fires(self, point: str, match: dict[str, object]) -> Fired | None:
        """The decision for one call; carries out crash and error, which need no waiting."""
        one = self.active.get(point)
        if one is None or any(str(match.get(key)) != value for key, value in one.fault.match.items()):
            return None
        if one.ends_at <= self._clock():
            self.clear(point)
            return None
        if not one.decision():
            return None
        action = one.fault.action
        names.FAULT_FIRED_TOTAL.labels(point=point, action=action).inc()
        log.warning("fault_fired", point=point, action=action, n=one.calls)
        if action == "crash":
            self._kill()
        if action == "error":
            raise FaultInjected(f"The fault at {point} made this call fail.", point=point)
        return Fired(point, action, one.fault.delay_ms)

    async def point(self, point: str, match: dict[str, object]) -> Fired | None:
        """As `fires`, and waits: delay_ms, or hang until the fault ends."""
        one = self.active.get(point)
        fired = self.fires(point, match)
        if fired is None or one is None:
            return None
        if fired.delay_ms is not None:
            await asyncio.sleep(fired.delay_ms / 1000)
        elif fired.action == "hang":
            await self._hang(one)
        else:
            return fired
        return None

    async def _hang(self, one: _Active) -> None:
        try:
            async with asyncio.timeout(max(0.0, one.ends_at - self._clock())):
                await one.over.wait()
        except TimeoutError:
            pass


def _kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


here = Faults()
"""The faults of this process."""


async def point(name: str, **match: object) -> Fired | None:
    """Fail here if a fault says so: waits, raises FaultInjected or kills; returns drop and duplicate to the caller."""
    return await here.point(name, match) if here.active else None


def fires(name: str, **match: object) -> Fired | None:
    """The twin of `point` for code that cannot wait: delay_ms and hang are returned too."""
    return here.fires(name, match) if here.active else None
