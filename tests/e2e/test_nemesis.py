"""What the nemesis will do is decided by its seed, covers every part, and is judged by the bounds of its row."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.faults import CATALOGUE


def _load(name: str) -> ModuleType:
    path = Path(__file__).parent / "nemesis" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"nemesis_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


schedule, figures = _load("schedule"), _load("figures")
seeds = st.integers(0, 2**32)


@given(seeds, st.integers(1, 40))
def test_the_same_seed_plans_the_same_faults(seed: int, count: int) -> None:
    planned = schedule.planned(seed, count)
    assert planned == schedule.planned(seed, count)
    assert len(planned) == count


def test_another_seed_plans_others() -> None:
    assert len({tuple(schedule.planned(seed, 20)) for seed in range(50)}) == 50


@given(seeds)
def test_a_full_run_kills_and_pauses_every_part(seed: int) -> None:
    planned = schedule.planned(seed, 20)
    found = {(fault.victim, fault.code) for fault in planned}
    assert found == {(victim, code) for victim in schedule.VICTIMS for code in ("kill", "pause")}


@given(seeds)
def test_a_small_run_strikes_every_part_once(seed: int) -> None:
    assert sorted(fault.victim for fault in schedule.planned(seed, 6)) == sorted(schedule.VICTIMS)


@given(seeds)
def test_a_pause_lasts_five_to_twenty_seconds_and_a_kill_none(seed: int) -> None:
    for fault in schedule.planned(seed, 20):
        assert (5 <= fault.seconds <= 20) if fault.code == "pause" else fault.seconds == 0
        assert fault.calm > 0


@given(seeds)
def test_a_process_dies_only_at_points_of_its_own(seed: int) -> None:
    for fault in schedule.planned(seed, 40):
        if fault.point is not None:
            assert (fault.code, schedule.POINTS[fault.point]) == ("kill", fault.victim)
            assert fault.point in CATALOGUE


@pytest.mark.parametrize(
    ("code", "node", "row", "bounds"),
    [
        ("kill", "api-0", "F1", (3, 15)),
        ("kill", "gateway-0", "F1", (3, 15)),
        ("pause", "postgres", "F2", (5, 30)),
        ("kill", "kafka", "F3", (1, 45)),
        ("kill", "valkey", "F4", (5, 20)),
        ("kill", "postgres", "F5", (10, 45)),
    ],
)
def test_each_fault_has_the_bounds_of_its_row(code: str, node: str, row: str, bounds: tuple[float, float]) -> None:
    assert schedule.row(code, node).startswith(row)
    assert schedule.bounds(code, node) == bounds


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ([1.0], "1.0 / 1.0 / 1.0"),
        ([3.0, 1.0, 2.0], "2.0 / 3.0 / 3.0"),
        ([float(number) for number in range(1, 101)], "50.0 / 95.0 / 100.0"),
        ([1.0, None], "never ended in 1 of 2"),
    ],
)
def test_figures_are_the_median_the_95th_and_the_longest(seconds: list[float | None], said: str) -> None:
    assert figures.figures(seconds) == said
