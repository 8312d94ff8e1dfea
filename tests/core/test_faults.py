"""Fault points on virtual time: deterministic decisions, bounds, expiry, refusals; crash is replaced by a recorder."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import signalink_core
from signalink_core import faults
from signalink_core.errors import BadRequest, ConfigurationError, FaultInjected
from signalink_core.faults import CATALOGUE, Faults, decide
from signalink_core.settings import ProcessSettings
from signalink_core.telemetry import metrics, names

SERVICES = Path(signalink_core.__file__).parents[2]
points = st.sampled_from(sorted(CATALOGUE))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def killed() -> list[str]:
    return []


@pytest.fixture
def here(clock: Clock, killed: list[str]) -> Iterator[Faults]:
    made = Faults(clock, kill=lambda: killed.append("SIGKILL"))
    made.configure(ProcessSettings(faults="on"))
    yield made
    made.clear()


def outcomes(here: Faults, point: str, calls: int, **match: object) -> list[bool]:
    return [here.fires(point, match) is not None for _ in range(calls)]


@given(points, st.integers(), st.floats(0.01, 0.99))
def test_the_same_seed_fails_the_same_calls_and_another_seed_others(point: str, seed: int, rate: float) -> None:
    first = [decide(seed, point, n, rate) for n in range(1, 200)]
    assert first == [decide(seed, point, n, rate) for n in range(1, 200)]
    if 0.2 < rate < 0.8:
        assert first != [decide(seed + 1, point, n, rate) for n in range(1, 200)]


@given(points, st.integers(), st.floats(0.05, 1))
def test_the_share_of_failed_calls_is_the_rate(point: str, seed: int, rate: float) -> None:
    failed = sum(decide(seed, point, n, rate) for n in range(1, 2001))
    assert abs(failed / 2000 - rate) < 0.06


@given(points, st.integers(), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_higher_rate_fails_every_call_that_a_lower_one_fails(point: str, seed: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert all(decide(seed, point, n, high) for n in range(1, 100) if decide(seed, point, n, low))


def test_rate_one_fails_every_call(here: Faults) -> None:
    here.put({"point": "api.publish", "action": "drop"})
    assert outcomes(here, "api.publish", 50) == [True] * 50


def test_count_bounds_how_often_a_fault_fires(here: Faults) -> None:
    here.put({"point": "api.publish", "action": "drop", "count": 3})
    assert outcomes(here, "api.publish", 6) == [True] * 3 + [False] * 3


def test_other_points_do_not_fire(here: Faults) -> None:
    here.put({"point": "api.publish", "action": "drop"})
    assert outcomes(here, "relay.lease", 3) == [False] * 3


def test_a_fault_fires_only_for_calls_that_match_and_counts_only_those(here: Faults) -> None:
    here.put({"point": "api.publish", "action": "drop", "count": 1, "match": {"channel": "7"}})
    assert outcomes(here, "api.publish", 3, channel=8) == [False] * 3
    assert outcomes(here, "api.publish", 1) == [False]
    assert outcomes(here, "api.publish", 2, channel=7) == [True, False]


def test_a_fault_ends_after_its_ttl_without_anybody_asking(here: Faults, clock: Clock) -> None:
    here.put({"point": "api.publish", "action": "drop", "ttl_seconds": 60})
    assert metrics.value(names.FAULT_ACTIVE, point="api.publish") == 1
    clock.now += 59.9
    assert outcomes(here, "api.publish", 1) == [True]
    clock.now += 0.2
    assert outcomes(here, "api.publish", 1) == [False]
    assert not here.active
    assert metrics.value(names.FAULT_ACTIVE, point="api.publish") == 0


def test_a_report_shows_counts_and_time_left_and_forgets_what_ended(here: Faults, clock: Clock) -> None:
    here.put({"point": "api.publish", "action": "drop", "rate": 0.5, "ttl_seconds": 60})
    here.put({"point": "relay.lease", "action": "drop", "ttl_seconds": 10})
    fired = sum(outcomes(here, "api.publish", 10))
    clock.now += 20
    (left,) = here.report()
    assert (left["point"], left["calls"], left["fired"], left["seconds_left"]) == ("api.publish", 10, fired, 40.0)


def test_each_firing_is_counted_in_a_metric(here: Faults) -> None:
    before = metrics.value(names.FAULT_FIRED_TOTAL, point="api.publish", action="drop")
    here.put({"point": "api.publish", "action": "drop"})
    outcomes(here, "api.publish", 4)
    assert metrics.value(names.FAULT_FIRED_TOTAL, point="api.publish", action="drop") == before + 4


def test_error_raises_and_crash_kills(here: Faults, killed: list[str]) -> None:
    here.put({"point": "kafka.produce", "action": "error"})
    with pytest.raises(FaultInjected):
        here.fires("kafka.produce", {})
    here.put({"point": "api.publish", "action": "crash"})
    here.fires("api.publish", {})
    assert killed == ["SIGKILL"]


async def test_delay_waits_and_drop_is_left_to_the_caller(here: Faults) -> None:
    here.put({"point": "gateway.log_read", "action": "delay_ms", "delay_ms": 30})
    began = asyncio.get_running_loop().time()
    assert await here.point("gateway.log_read", {}) is None
    assert asyncio.get_running_loop().time() - began >= 0.029
    here.put({"point": "gateway.log_read", "action": "duplicate"})
    fired = await here.point("gateway.log_read", {})
    assert fired is not None
    assert fired.action == "duplicate"


async def test_a_hang_ends_when_the_fault_is_cleared_or_its_time_is_up(here: Faults, clock: Clock) -> None:
    here.put({"point": "relay.lease", "action": "hang", "ttl_seconds": 60})
    hanging = asyncio.create_task(here.point("relay.lease", {}))
    await asyncio.sleep(0)
    assert not hanging.done()
    here.clear("relay.lease")
    assert await asyncio.wait_for(hanging, 5) is None
    here.put({"point": "relay.lease", "action": "hang", "ttl_seconds": 0.05})
    assert await asyncio.wait_for(here.point("relay.lease", {}), 5) is None


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"point": "api.publsh", "action": "drop"}, "known: api.post.after_commit"),
    ({"point": "api.publish", "action": "explode"}, "'crash', 'error'"),
    ({"point": "api.publish", "action": "drop", "rate": 0}, "rate"),
    ({"point": "api.publish", "action": "drop", "rate": 1.01}, "rate"),
    ({"point": "api.publish", "action": "drop", "ttl_seconds": 901}, "ttl_seconds"),
    ({"point": "api.publish", "action": "delay_ms"}, "delay_ms"),
    ({"point": "api.publish", "action": "drop", "delay_ms": 5}, "delay_ms"),
    ({"point": "api.publish", "action": "drop", "wait": 5}, "wait"),
    ({"action": "drop"}, "point"),
]


@pytest.mark.parametrize(("body", "said"), WRONG)
def test_a_wrong_fault_is_refused_with_what_is_allowed(here: Faults, body: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(said)):
        here.put(body)
    assert not here.active


def test_faults_are_off_unless_switched_on(clock: Clock) -> None:
    off = Faults(clock)
    with pytest.raises(ConfigurationError, match="SIGNALINK_FAULTS=on"):
        off.put({"point": "api.publish", "action": "drop"})


def test_switching_off_ends_what_is_set(here: Faults) -> None:
    here.put({"point": "api.publish", "action": "drop"})
    here.configure(ProcessSettings(faults="off"))
    assert not here.active


def test_prod_refuses_fault_points() -> None:
    with pytest.raises(ConfigurationError, match="prod"):
        Faults().configure(ProcessSettings(faults="on", environment="prod"))


def test_faults_of_a_file_are_set_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(
        '[{"point": "db.connect", "action": "error", "rate": 0.5}, {"point": "api.publish", "action": "drop"}]'
    )
    made = Faults()
    made.configure(ProcessSettings(faults="on", faults_file=file))
    assert {one["point"]: one["rate"] for one in made.report()} == {"db.connect": 0.5, "api.publish": 1.0}
    made.clear()
    off = Faults()
    off.configure(ProcessSettings(faults="off", faults_file=file))
    assert off.report() == []


@pytest.mark.parametrize("text", ["[", '[{"point": "no.such.point", "action": "drop"}]', '["x"]', None])
def test_a_file_of_faults_that_cannot_be_set_stops_the_start(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "faults.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"faults\.json cannot be set"):
        Faults().configure(ProcessSettings(faults="on", faults_file=file))


async def test_the_module_functions_ask_the_faults_of_this_process() -> None:
    assert await faults.point("api.publish") is None
    faults.here.configure(ProcessSettings(faults="on"))
    try:
        faults.here.put({"point": "api.publish", "action": "drop", "match": {"channel": "7"}})
        assert faults.fires("api.publish", channel=7) is not None
        assert await faults.point("api.publish", channel=7) is not None
        assert await faults.point("api.publish", channel=8) is None
    finally:
        faults.here.configure(ProcessSettings(faults="off"))
    assert faults.fires("api.publish", channel=7) is None


def test_every_point_named_in_the_services_is_in_the_catalogue() -> None:
    calls = re.compile(r"faults\.(?:point|fires)\(\s*\"([^\"]+)\"")
    used = {
        (path.relative_to(SERVICES).as_posix(), name)
        for path in SERVICES.rglob("*.py")
        for name in calls.findall(path.read_text(encoding="utf-8"))
    }
    assert not {(path, name) for path, name in used if name not in CATALOGUE}
