"""Real runs of the supervisor with all three engines and a service made of a manifest and thirty lines."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from signalink_core.testing import eventually
from signalink_stacks.local import control, ports
from signalink_stacks.local.engines import kafka
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.problems import EnvironmentBroken, StartFailed
from signalink_stacks.local.state import RunState, StateFolder, is_same

pytestmark = [pytest.mark.engine("postgres", "valkey", "kafka"), pytest.mark.timeout(180)]
FAKE = Wishes(free_ports=True, packages=("signalink_fake",))


@pytest.fixture(scope="module", autouse=True)
def runtime() -> None:
    kafka.setup()


def silent(state: RunState) -> None:
    """Nobody watches."""


def family(state: RunState) -> list[tuple[int, float]]:
    """Every process of a run: (pid, created)."""
    pids = [state.supervisor_pid, *(each.pid for each in state.processes if each.pid)]
    found = {
        process for pid in pids for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    }
    return [(process.pid, process.create_time()) for process in found]


def assert_nothing_left(processes: list[tuple[int, float]], state: RunState) -> None:
    assert [pid for pid, created in processes if is_same(pid, created)] == []
    used = [*state.ports.values(), *(port for each in state.processes for port in each.ports.values())]
    assert [port for port in used if not ports.is_free(port)] == []


def test_up_finds_what_runs_and_down_leaves_nothing(fake_service: Path, folder: StateFolder) -> None:
    seen: list[str] = []
    started = control.up(folder, FAKE, lambda state: seen.append(state.phase))
    assert not started.again
    assert seen[0] == "starting"
    report = control.report(folder)
    assert report.healthy
    assert {line.name for line in report.processes} == {"postgres", "valkey", "kafka", "prober-0"}
    assert all(line.pss > 0 and line.pid for line in report.processes)
    assert 50 * 2**20 < report.total_pss < 3 * 2**30

    again = control.up(folder, FAKE, silent)
    assert again.again
    assert again.state.supervisor_pid == started.state.supervisor_pid

    processes = family(started.state)
    assert len(processes) > 8
    assert control.down(folder)
    assert_nothing_left(processes, started.state)
    assert control.report(folder).phase == "down"
    assert not control.down(folder)
    assert (folder.root / "postgres" / "data").is_dir()
    control.down(folder, purge=True)
    assert not folder.root.exists()


async def test_a_killed_child_is_restarted_and_reported(fake_service: Path, folder: StateFolder) -> None:
    state = control.up(folder, FAKE, silent).state
    victims = {name: state.process(name).pid or 0 for name in ("prober-0", "valkey", "postgres")}
    for pid in victims.values():
        os.kill(pid, signal.SIGKILL)

    def all_back() -> bool:
        lines = {line.name: line for line in control.report(folder).processes}
        return all(lines[name].restarts >= 1 and lines[name].health == "ready" for name in victims)

    await eventually(all_back, within=60)
    report = control.report(folder)
    assert all(line.pid != victims.get(line.name) for line in report.processes)
    told = [str(event["what"]) for event in report.events if event["process"] == "prober-0"]
    assert told[0].startswith("killed by SIGKILL; starts again in 0.2 s")
    assert told[1].startswith("runs again as pid")


async def test_a_child_that_hangs_is_restarted_and_reported(fake_service: Path, folder: StateFolder) -> None:
    wishes = Wishes(free_ports=True, packages=("signalink_fake",), settings={"SUPERVISOR_HUNG_SECONDS": "2"})
    state = control.up(folder, wishes, silent).state
    victims = {name: state.process(name).pid or 0 for name in ("prober-0", "valkey", "postgres")}
    for pid in victims.values():
        for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            each.suspend()

    def all_back() -> bool:
        lines = {line.name: line for line in control.report(folder).processes}
        return all(lines[name].restarts >= 1 and lines[name].health == "ready" for name in victims)

    await eventually(all_back, within=60)
    report = control.report(folder)
    for name, pid in victims.items():
        told = [str(event["what"]) for event in report.events if event["process"] == name]
        assert told[0].startswith("hung: no answer for ")
        assert not psutil.pid_exists(pid)
    assert next(line for line in report.processes if line.name == "kafka").restarts == 0


async def test_children_die_with_a_killed_supervisor_and_up_starts_afresh(
    fake_service: Path, folder: StateFolder
) -> None:
    state = control.up(folder, FAKE, silent).state
    processes = family(state)
    os.kill(state.supervisor_pid, signal.SIGKILL)
    await eventually(lambda: not [pid for pid, created in processes if is_same(pid, created)], within=20)
    assert control.report(folder).phase == "crashed"
    assert not control.up(folder, FAKE, silent).again
    assert control.report(folder).healthy


def test_a_service_that_ends_while_starting_takes_everything_down(
    fake_service: Path, folder: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes = Wishes(free_ports=True, packages=("signalink_fake",), settings={"FAKE_EXIT": "7"})
    last: list[RunState] = []
    with pytest.raises(StartFailed, match=r"(?s)prober-0 ended while starting \(exit 7\).*fake says hello") as caught:
        control.up(folder, wishes, last.append)
    assert "signalink logs prober-0" in str(caught.value.next_step)
    assert control.report(folder).phase == "failed"
    assert_nothing_left([(each.pid, each.created) for state in last for each in state.processes if each.pid], last[-1])


def test_a_service_that_never_gets_ready_takes_everything_down(fake_service: Path, folder: StateFolder) -> None:
    wishes = Wishes(free_ports=True, packages=("signalink_fake",), settings={"FAKE_UNREADY": "yes"})
    with pytest.raises(StartFailed, match="prober-0 was not ready within 9 s"):
        control.up(folder, wishes, silent)
    assert control.report(folder).phase == "failed"


def test_a_broken_manifest_starts_nothing(fake_service: Path, folder: StateFolder) -> None:
    fake_service.write_text(fake_service.read_text().replace('kind = "worker"', 'kind = "walker"'))
    with pytest.raises(EnvironmentBroken, match=r"service\.toml: kind: 'walker' is wrong"):
        control.up(folder, FAKE, silent)
    assert not (folder.root / "postgres").exists()
    assert folder.alive() is None


def test_a_taken_port_starts_nothing(fake_service: Path, folder: StateFolder, valkey_server: object) -> None:
    taken = valkey_server.engine.port  # type: ignore[attr-defined]
    fake_service.write_text(fake_service.read_text().replace("metrics = 9105", f"metrics = {taken}"))
    with pytest.raises(EnvironmentBroken, match=rf"port {taken} \(prober-0 metrics\) is held by valkey-server"):
        control.up(folder, Wishes(packages=("signalink_fake",)), silent)
    assert not (folder.root / "postgres").exists()


def test_two_who_start_at_once_share_one_platform(fake_service: Path, folder: StateFolder) -> None:
    folder.open()
    with ThreadPoolExecutor(2) as pool:
        results = [pool.submit(control.up, folder, FAKE, silent) for _ in range(2)]
        found = [result.result() for result in results]
    assert len({each.state.supervisor_pid for each in found}) == 1
    assert sorted(each.again for each in found) == [False, True]


def test_down_in_the_middle_of_a_start_stops_all_of_it(fake_service: Path, folder: StateFolder) -> None:
    seen: list[RunState] = []

    def stop_at_first_engine(state: RunState) -> None:
        seen.append(state)
        if any(each.pid for each in state.processes):
            os.kill(state.supervisor_pid, signal.SIGTERM)

    with pytest.raises(StartFailed, match="ended before the platform was up"):
        control.up(folder, FAKE, stop_at_first_engine)
    assert_nothing_left([(each.pid, each.created) for state in seen for each in state.processes if each.pid], seen[-1])
    assert control.report(folder).phase == "down"
