"""The machine under a benchmark: which CPU serves and which ones load it, and what a process used, from /proc.

Pinning is `taskset`'s call, sched_setaffinity; a child inherits it from its first instruction.
"""

import contextlib
import os
import platform
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Cpus:
    """The server alone on one CPU; sink or clients on another; engines and publisher on the rest."""

    server: set[int]
    load: set[int]
    engines: set[int]

    @classmethod
    def split(cls) -> "Cpus":
        """With fewer than four CPUs the parts share, and the report says so."""
        found = sorted(os.sched_getaffinity(0))
        if len(found) < 3:
            return cls(set(found[-1:]), set(found[:1]), set(found[:1]))
        return cls({found[-1]}, {found[-2]}, set(found[:-2]))

    def __str__(self) -> str:
        parts = (("server", self.server), ("load", self.load), ("engines", self.engines))
        return ", ".join(f"{name} on CPU {'+'.join(map(str, sorted(cpus)))}" for name, cpus in parts)


@contextlib.contextmanager
def pinned(cpus: set[int]) -> Iterator[None]:
    """Children started inside run on these CPUs only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads that live: in ns where the scheduler says it, else in clock ticks."""
    exact = sum(_scheduled(task) for task in Path(f"/proc/{pid}/task").iterdir())
    if exact:
        return exact / NS
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def waited_seconds(pid: int) -> float:
    """How long its threads were ready to run but had no CPU: on a quiet machine next to nothing."""
    return sum(_scheduled(task, 1) for task in Path(f"/proc/{pid}/task").iterdir()) / NS


def _scheduled(task: Path, column: int = 0) -> int:
    try:
        return int((task / "schedstat").read_text().split()[column])
    except OSError:
        return 0


def rss_bytes(pid: int) -> int:
    """Resident memory of one process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def more_files() -> int:
    """Raises the soft limit of open files to the hard one, for our children too. Returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def described() -> str:
    """CPU model, number of CPUs, memory, kernel, Python."""
    model = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "CPU")
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")) / 1024**2
    return (
        f"{model}, {os.cpu_count()} CPUs, {memory:.0f} GB, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
