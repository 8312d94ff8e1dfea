"""What a platform may leave behind: processes, listening ports, shared memory. After `down` there must be none."""

import time
from pathlib import Path

import psutil
from clone import expect

SETTLE_SECONDS = 2.0
Known = list[tuple[int, float]]


def shared_memory() -> set[str]:
    """System V segments by id and maker, and the files of /dev/shm."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    segments = {f"shm {line.split()[1]} by {line.split()[4]}" for line in lines}
    return segments | {str(path) for path in Path("/dev/shm").iterdir()}  # noqa: S108  that is what is looked at


def family(pids: dict[str, int]) -> Known:
    """Every process below those, by pid and start time."""
    processes = [psutil.Process(pid) for pid in pids.values()]
    found = {each for process in processes for each in (process, *process.children(recursive=True))}
    return [(each.pid, each.create_time()) for each in found]


def running(known: Known) -> list[str]:
    found = []
    for pid, created in known:
        try:
            process = psutil.Process(pid)
            if abs(process.create_time() - created) < 0.1:
                found.append(f"{process.name()} (pid {pid}, {process.status()})")
        except psutil.NoSuchProcess:
            continue
    return found


def listening(ports: list[int]) -> list[int]:
    taken = {each.laddr.port for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
    return sorted(taken & set(ports))


def expect_none(known: Known, ports: list[int], before: set[str]) -> None:
    """A process 1 that reaps slowly gets two seconds."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (left := running(known)) and time.monotonic() < deadline:
        time.sleep(0.05)
    expect(not left, f"processes are left: {left}")
    expect(not listening(ports), f"ports are left: {listening(ports)}")
    expect(shared_memory() <= before, f"shared memory is left: {shared_memory() - before}")
