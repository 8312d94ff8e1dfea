"""When a process may get traffic: an outage of a shared store takes no replica out, what was never reached does."""

from collections.abc import Collection

import pytest

from signalink_core.readiness import Readiness


def started(own: Collection[str] | None, **states: str) -> Readiness:
    """Each state in turn, as "down>ok>down"."""
    readiness = Readiness(states, own=own)
    for name, history in states.items():
        for state in history.split(">"):
            readiness.set(name, state)  # type: ignore[arg-type]
    readiness.start()
    return readiness


@pytest.mark.parametrize(
    ("own", "states", "ready", "whole"),
    [
        ((), {"postgres": "down"}, False, False),
        ((), {"postgres": "down>ok"}, True, True),
        ((), {"postgres": "ok>down"}, True, False),
        ((), {"postgres": "ok>down>ok"}, True, True),
        ((), {"postgres": "degraded>down"}, True, False),
        ((), {"postgres": "ok>down", "kafka": "down"}, False, False),
        (("canary",), {"postgres": "ok>down", "canary": "ok"}, True, False),
        (("canary",), {"postgres": "ok", "canary": "ok>down"}, False, False),
        (("canary",), {"postgres": "ok", "canary": "ok>down>ok"}, True, True),
        (None, {"postgres": "ok>down"}, False, False),
        (None, {"postgres": "ok>degraded"}, True, True),
    ],
)
def test_what_holds_a_process_back(
    own: Collection[str] | None, states: dict[str, str], ready: bool, whole: bool
) -> None:
    readiness = started(own, **states)
    assert (readiness.ready, readiness.whole) == (ready, whole)
    assert (readiness.snapshot()["ready"], readiness.snapshot()["whole"]) == (ready, whole)


def test_who_drains_or_has_not_started_gets_no_traffic_whatever_answers() -> None:
    readiness = Readiness(["postgres"], own=())
    readiness.set("postgres", "ok")
    assert not readiness.ready
    readiness.start()
    assert readiness.ready
    readiness.drain()
    assert not readiness.ready
    assert not readiness.whole
