"""The hashed locks: what a lock must pin, that it names no address, and that each part's imports are inside its lock.

Works offline on the committed files and the installed metadata; `make lock` is what renews them.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: *;[^\\]*)? *\\?$")

ONLY_LOCKED = """
import importlib, pkgutil, re, sys
from importlib import abc, machinery, metadata
package, *locked = sys.argv[1:]
canonical = lambda name: re.sub(r"[-_.]+", "-", name).lower()
owners = {top: {canonical(name) for name in names} for top, names in metadata.packages_distributions().items()}
class OnlyLocked(abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        owner = owners.get(name.partition(".")[0], set())
        hidden = owner and "signalink" not in owner and not owner & set(locked)
        return None if hidden else machinery.PathFinder.find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(machinery.PathFinder)] = OnlyLocked()
"""
EVERY_MODULE = """
inside = pkgutil.walk_packages(importlib.import_module(package).__path__, package + ".")
for name in (module.name for module in inside):
    apart = {"testing", "migrations", "__main__", "components", "layers", "graph", "pack"}
    if not apart & set(name.split(".")):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            sys.exit(f"{error.name} is not in the lock")
"""
PROMISE = """
from signalink_core.testing import promise
sys.exit(promise.main([package, "--timeout=5"]))
"""


def pins(lock: Path) -> dict[str, tuple[str, int]]:
    """Canonical name to (version, number of sha256 hashes) of every package a lock pins."""
    found: dict[str, tuple[str, int]] = {}
    name = ""
    for line in lock.read_text(encoding="utf-8").splitlines():
        if match := PIN.match(line):
            name = canonicalize_name(match["name"])
            found[name] = (match["version"], 0)
        elif line.strip().startswith("--hash=sha256:") and name:
            found[name] = (found[name][0], found[name][1] + 1)
    return found


def direct(project: dict[str, object], extra: str) -> list[Requirement]:
    """The requirements of the project itself plus those of one extra, its extras unfolded."""
    table = project["project"]
    assert isinstance(table, dict)
    wanted = [Requirement(text) for text in [*table["dependencies"], *table["optional-dependencies"][extra]]]
    inner = [name for item in wanted if item.name == table["name"] for name in sorted(item.extras)]
    return [item for item in wanted if item.name != table["name"]] + [
        item for name in inner for item in direct(project, name)
    ]


def unpinned(lock: Path, wanted: list[Requirement]) -> list[str]:
    """Requirements a lock misses, pins outside their range, or pins without a hash; and lines that name an address."""
    pinned = pins(lock)
    found = [f"{lock.name}: {name} has no hash" for name, (_, hashes) in pinned.items() if not hashes]
    for item in wanted:
        version = pinned.get(canonicalize_name(item.name), ("", 0))[0]
        if not version:
            found.append(f"{lock.name}: {item.name} is not pinned")
        elif Version(version) not in item.specifier:
            found.append(f"{lock.name}: {item.name}=={version} is outside {item.specifier}")
    text = lock.read_text(encoding="utf-8")
    return found + [f"{lock.name}: names an address: {line}" for line in text.splitlines() if "://" in line]


def disagreements(locks: list[Path]) -> list[str]:
    """Packages that two locks pin at different versions."""
    seen: dict[str, tuple[str, str]] = {}
    found = []
    for lock in locks:
        for name, (version, _) in pins(lock).items():
            other, where = seen.setdefault(name, (version, lock.name))
            if other != version:
                found.append(f"{name}: {other} in {where}, {version} in {lock.name}")
    return found


def import_with_only(lock: Path, package: str) -> str:
    """Imports every module of `package` in a fresh process that hides each distribution the lock does not pin.

    Returns what went wrong, empty when nothing did. Left out: `testing` needs pytest, `migrations` are loaded by
    Alembic, `__main__` would start the process; the Pulumi program is imported in its own environment by tests/graph.
    """
    ran = _only_locked(EVERY_MODULE, lock, package)
    return "" if ran.returncode == 0 else ran.stderr.strip().splitlines()[-1]


def promise_with_only(lock: Path, promise: str) -> str:
    """Shows a promise in such a process, without any address; its last line."""
    return _only_locked(PROMISE, lock, promise).stderr.strip().splitlines()[-1]


def _only_locked(program: str, lock: Path, what: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", ONLY_LOCKED + program, what, *sorted(pins(lock))]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SIGNALINK_")}
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
