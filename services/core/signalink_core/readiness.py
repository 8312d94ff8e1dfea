"""What this process says about itself: which dependencies answer and whether it may get traffic.

A store is shared by all replicas of a service. If its outage made them not ready, a load balancer would have nobody
left and refuse clients, who then hear neither that it passes nor when to come back. So a process that serves clients is
held back only by what has never answered it yet, and by what is its own; meanwhile it answers 503 with Retry-After.
"""

from collections.abc import Collection, Iterable
from typing import Any, Literal

from signalink_core.telemetry import names
from signalink_core.telemetry.logging import get_logger

State = Literal["ok", "degraded", "down"]
log = get_logger(__name__)


class Readiness:
    """Ready when `start` was called, `drain` was not, and no dependency holds it back. `needs` begin as down.

    `own` None: whatever is down holds it back. Else it serves clients, and every dependency but those named is shared:
    it holds back until it was reached once.
    """

    def __init__(self, needs: Iterable[str] = (), *, own: Collection[str] | None = None) -> None:
        self._own = own
        self._reached: set[str] = set()
        self._states: dict[str, tuple[State, str]] = {}
        self._started = False
        self._draining = False
        for need in needs:
            self.set(need, "down", "not checked yet")

    def set(self, dependency: str, state: State, detail: str = "") -> None:
        """Record a dependency; only a change of state is logged."""
        before = self._states.get(dependency)
        self._states[dependency] = (state, detail)
        if state != "down":
            self._reached.add(dependency)
        names.DEGRADED.labels(dependency=dependency).set(0 if state == "ok" else 1)
        if before is not None and before[0] != state:
            write = log.info if state == "ok" else log.warning
            write("dependency_changed", dependency=dependency, state=state, detail=detail)

    def start(self) -> None:
        """Everything of this process runs."""
        self._started = True

    def drain(self) -> None:
        """Not ready from now on, so that no new traffic is sent here."""
        self._draining = True

    @property
    def ready(self) -> bool:
        """Whether it may get traffic."""
        return self._serving and not any(self._holds_back(name) for name in self._down)

    @property
    def whole(self) -> bool:
        """Whether everything it needs answers as well."""
        return self._serving and not self._down

    @property
    def _serving(self) -> bool:
        return self._started and not self._draining

    @property
    def _down(self) -> list[str]:
        return [name for name, (state, _) in self._states.items() if state == "down"]

    def _holds_back(self, dependency: str) -> bool:
        return self._own is None or dependency in self._own or dependency not in self._reached

    def snapshot(self) -> dict[str, Any]:
        """The body of /readyz."""
        return {
            "ready": self.ready,
            "whole": self.whole,
            "started": self._started,
            "draining": self._draining,
            "dependencies": {
                name: {"state": state, "detail": detail} for name, (state, detail) in sorted(self._states.items())
            },
        }
