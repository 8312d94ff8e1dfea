"""Asks the kernel: processors, memory, limits, settings, watches, the clock. What it does not say is None or absent."""

import contextlib
import ctypes
import os
import resource
import select
import tempfile
import time
from pathlib import Path
from typing import Final

import psutil

CGROUP: Final = Path("/sys/fs/cgroup")
SHM: Final = Path("/dev/shm")  # noqa: S108  that is what is asked about
NAMES: Final = (
    "fs.inotify.max_user_watches", "fs.inotify.max_user_instances", "vm.max_map_count", "vm.overcommit_memory",
    "net.core.somaxconn", "kernel.shmmni",
)  # fmt: skip
UNSYNCHRONISED: Final = 0x0040
IN_CREATE: Final = 0x100
WATCH_SECONDS: Final = 1.0


def read_number(path: Path) -> int | None:
    """None: not there, or a word like `max`."""
    try:
        return int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def cpus() -> float:
    """What this process may use: its affinity, less where a container has a quota."""
    count = float(len(os.sched_getaffinity(0)))
    with contextlib.suppress(OSError, ValueError):
        quota, period = (CGROUP / "cpu.max").read_text().split()
        return min(count, int(quota) / int(period))
    return count


def memory_free() -> int:
    """Bytes available, of the machine or of this container, whichever is less."""
    free = int(psutil.virtual_memory().available)
    limit, used = read_number(CGROUP / "memory.max"), read_number(CGROUP / "memory.current")
    return free if limit is None or used is None else min(free, limit - used)


def open_files() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 2**31


def processes() -> int | None:
    """The narrower of this user's limit (root has none) and the container's; None: no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    own = None if soft == resource.RLIM_INFINITY or os.geteuid() == 0 else soft
    return min((limit for limit in (own, read_number(CGROUP / "pids.max")) if limit is not None), default=None)


def settings() -> dict[str, int]:
    found = {name: read_number(Path("/proc/sys") / name.replace(".", "/")) for name in NAMES}
    return {name: value for name, value in found.items() if value is not None}


def outgoing_ports() -> tuple[int, int] | None:
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except (OSError, ValueError):
        return None
    return int(low), int(high)


def shm_free() -> int | None:
    """Bytes free in /dev/shm; None when it is not there or not ours to write."""
    if not SHM.is_dir() or not os.access(SHM, os.W_OK):
        return None
    return int(psutil.disk_usage(str(SHM)).free)


def file_system(path: Path) -> str:
    """The type of the file system that holds `path`; empty when not known."""
    best = ("", "")
    for partition in psutil.disk_partitions(all=True):
        mount = partition.mountpoint
        if path.is_relative_to(mount) and len(mount) >= len(best[0]):
            best = (mount, partition.fstype)
    return best[1]


def clock_synchronised() -> bool | None:
    """The kernel's own word (`adjtimex`, whose second field is the status)."""
    buffer = (ctypes.c_char * 512)()
    if ctypes.CDLL(None, use_errno=True).adjtimex(buffer) < 0:
        return None
    status = ctypes.c_int.from_buffer(buffer, 5 * ctypes.sizeof(ctypes.c_long)).value
    return not status & UNSYNCHRONISED


def disk_offset(folder: Path) -> float:
    """How far the time of a new file is ahead of this clock, in seconds; 0 where no file can be made."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".signalink-trial-") as file:
            return os.fstat(file.fileno()).st_mtime - time.time()
    except OSError:
        return 0.0


def watch_problem(folder: Path) -> str:
    """Watch `folder`, make a file in it (or in a temporary folder, where it is not ours) and wait for the word."""
    place = folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir())
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    if watch < 0:
        return f"no watch can be made ({os.strerror(ctypes.get_errno())})"
    try:
        if libc.inotify_add_watch(watch, os.fsencode(place), IN_CREATE) < 0:
            return f"{place} cannot be watched ({os.strerror(ctypes.get_errno())})"
        with tempfile.NamedTemporaryFile(dir=place, prefix=".signalink-trial-"):
            heard, _, _ = select.select([watch], [], [], WATCH_SECONDS)
        return "" if heard else f"the kernel tells nothing about {place}"
    finally:
        os.close(watch)
