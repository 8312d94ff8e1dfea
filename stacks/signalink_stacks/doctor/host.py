"""Owns `Host`: what the rules see of a machine. Facts only, gathered by `probe` or made up by a test; no judgement.

Sizes are bytes, times seconds. A fact that this machine does not tell is None or absent, never a guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from signalink_stacks.local.choice import ALL_ENGINES

Target = Literal["local", "kind", "existing", "eks"]
TARGETS: Final[tuple[Target, ...]] = ("local", "kind", "existing", "eks")


@dataclass(frozen=True, slots=True)
class Port:
    """A port the platform will bind, and who has it; None: nobody."""

    name: str
    number: int
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A program that must run here: its version, or why it has none."""

    version: str | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A process of an earlier run. `ours`: it is in this folder's state, so `signalink down` ends it."""

    pid: int
    name: str
    ours: bool


@dataclass(frozen=True, slots=True)
class State:
    """The state folder: its version (None: there is none yet), why it cannot be written, its permission bits."""

    root: Path
    version: str | None = None
    problem: str = ""
    mode: int | None = None
    disk_free: int = 0
    file_system: str = ""
    hidden_from: str = ""  # a folder above it that the user of Postgres may not enter


@dataclass(frozen=True, slots=True)
class Clock:
    """`behind`: how far the clock is behind the newest file of this program; `disk_offset`: file times against it."""

    behind: float = 0.0
    disk_offset: float = 0.0
    synchronised: bool | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An AWS account as its present identity sees it; a fact that AWS did not tell is None, with why in `problems`."""

    number: str = ""
    identity: str = ""
    region: str = ""
    regions: frozenset[str] | None = None
    plan: Mapping[str, Any] | None = None
    """`type` FREE or PAID, `status`, `credits` in USD, `ends`."""
    free_types: frozenset[str] | None = None
    budgets: tuple[str, ...] | None = None
    quotas: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    """The limit, and how many are used where that can be counted."""
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Host:
    """One machine as one target sees it. `kernel`: settings by their sysctl names; `running`: this platform is up."""

    target: Target
    state: State
    system: str = ""
    machine: str = ""
    python: tuple[int, int] = (0, 0)
    uid: int = 0
    cpus: float = 0.0
    memory_free: int = 0
    open_files: int = 0
    processes: int | None = None
    kernel: Mapping[str, int] = field(default_factory=dict)
    outgoing_ports: tuple[int, int] | None = None
    shm_free: int | None = None
    postgres_as: str = "same"
    ports: tuple[Port, ...] = ()
    manifest_problem: tuple[str, str] | None = None
    programs: Mapping[str, Program] = field(default_factory=dict)
    jars: bool = False
    cache_free: int = 0
    leftovers: tuple[Leftover, ...] = ()
    proxies: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = Clock()
    watch_problem: str = ""
    image_store: str | None = None
    running: bool = False
    engines: tuple[str, ...] = ALL_ENGINES
    """Those that this platform's choice of services needs."""
    account: Account | None = None
    wheels: Mapping[str, str] = field(default_factory=dict)
    """Versions of Pulumi's packages in the stacks' environment; none where that is not made yet."""
    plugins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Versions of the plugins that the engine has, by name."""
