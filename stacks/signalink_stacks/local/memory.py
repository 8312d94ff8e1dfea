"""Owns what processes weigh: RSS and PSS in bytes from the kernel, whole families of processes included."""

from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes. PSS divides shared pages among those who share them, so it may be added up; RSS may not."""

    rss: int = 0
    pss: int = 0

    def __add__(self, other: "Weight") -> "Weight":
        return Weight(self.rss + other.rss, self.pss + other.pss)


def of(pid: int) -> Weight:
    """One process; zero when it is gone. Where the kernel hides its PSS (another user), its RSS is taken."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return _rss_only(pid)
    fields = dict(line.split(":", 1) for line in text.splitlines()[1:])
    return Weight(_bytes(fields.get("Rss", "0 kB")), _bytes(fields.get("Pss", "0 kB")))


def of_family(pid: int) -> Weight:
    """A process with all its descendants: Postgres is many."""
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return Weight()
    return sum((of(child.pid) for child in children), start=of(pid))


def _rss_only(pid: int) -> Weight:
    try:
        rss = int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return Weight()
    return Weight(rss, rss)


def _bytes(text: str) -> int:
    return int(text.split()[0]) * 1024
