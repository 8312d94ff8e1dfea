"""What this process says about itself: which dependencies answer and whether it may get traffic."""

from collections.abc import Iterable
from typing import Any, Literal

from signalink_core.telemetry import names
from signalink_core.telemetry.logging import get_logger

State = Literal["ok", "degraded", "down"]
log = get_logger(__name__)


class Readiness:
    """Ready when `start` was called, `drain` was not, and no dependency is down. `needs` begin as down."""

    def __init__(self, needs: Iterable[str] = ()) -> None:
        self._states: dict[str, tuple[State, str]] = {}
        self._started = False
        self._draining = False
        for need in needs:
            self.set(need, "down", "not checked yet")

    def set(self, dependency: str, state: State, detail: str = "") -> None:
        """Record a dependency; only a change of state is logged."""
        before = self._states.get(dependency)
        self._states[dependency] = (state, detail)
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
        return self._started and not self._draining and all(state != "down" for state, _ in self._states.values())

    def snapshot(self) -> dict[str, Any]:
        """The body of /readyz."""
        return {
            "ready": self.ready,
            "started": self._started,
            "draining": self._draining,
            "dependencies": {
                name: {"state": state, "detail": detail} for name, (state, detail) in sorted(self._states.items())
            },
        }
