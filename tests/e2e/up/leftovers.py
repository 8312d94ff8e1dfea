"""What a platform may leave behind: processes, listening ports, shared memory. After `down` there must be none.

Only what the platform itself made counts: other programs on this machine come and go meanwhile.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

import psutil
from clone import expect

from signalink_core.testing import eventually

SETTLE_SECONDS = 2.0
SHM = "/dev/shm/"  # noqa: S108  that is what is looked at


class Footprint:
    """Everything a run was seen to hold, from `add` to `add`; `expect_gone` after `down`."""

    def __init__(self) -> None:
        self.processes: dict[int, float] = {}
        self.ports: set[int] = set()
        self.files: set[str] = set()

    def add(self, pids: dict[str, int], ports: list[int]) -> None:
        """The family of these processes (pid and start time), the ports, and the files of /dev/shm they map."""
        self.ports |= set(ports)
        for pid in pids.values():
            process = psutil.Process(pid)
            for each in (process, *process.children(recursive=True)):
                self.processes[each.pid] = each.create_time()
                self.files |= _mapped(each.pid)

    def expect_gone(self) -> None:
        """A process 1 that reaps slowly gets two seconds."""
        with suppress(AssertionError):
            asyncio.run(eventually(lambda: not self._running(), within=SETTLE_SECONDS))
        left = self._running()
        expect(not left, f"processes are left: {left}")
        expect(not self._listening(), f"ports are left: {self._listening()}")
        expect(not self._segments(), f"shared memory segments are left: {self._segments()}")
        files = sorted(name for name in self.files if Path(name).exists())
        expect(not files, f"files of shared memory are left: {files}")

    def _running(self) -> list[str]:
        found = []
        for pid, created in self.processes.items():
            try:
                process = psutil.Process(pid)
                if abs(process.create_time() - created) < 0.1:
                    found.append(f"{process.name()} (pid {pid}, {process.status()})")
            except psutil.NoSuchProcess:
                continue
        return found

    def _listening(self) -> list[int]:
        taken = {each.laddr.port for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
        return sorted(taken & self.ports)

    def _segments(self) -> list[str]:
        """System V segments that one of ours made."""
        lines = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
        return [f"shmid {fields[1]} of pid {fields[4]}" for fields in lines if int(fields[4]) in self.processes]


def _mapped(pid: int) -> set[str]:
    try:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    except OSError:
        return set()
    return {line[line.index(SHM) :] for line in lines if SHM in line}
