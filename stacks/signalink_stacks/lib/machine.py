"""Owns what one small machine runs (`aws-lite`): parts by its memory. Pure; their script is `boot`'s."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from signalink_core.errors import ConfigurationError

SIZES: Final = {"nano": 0.5, "micro": 1.0, "small": 2.0, "medium": 4.0, "large": 8.0}
"""GiB of the T family, the same in t2, t3, t3a and t4g; each step above `large` doubles."""
FAMILIES: Final = ("t2", "t3", "t3a", "t4g")
EVERYTHING: Final = ("postgres", "valkey", "kafka", "api", "relay", "gateway", "analytics", "notifications", "prober")
SMALL: Final = ("postgres", "valkey", "api", "gateway")
K3S_GIB: Final = 8
"""From here on the parts are pods, whose images come from a registry."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a machine runs: `runs` by `way`, and what it is too small for, with the memory that would do."""

    way: Literal["systemd", "k3s"]
    runs: tuple[str, ...]
    missing: tuple[str, ...]
    enough_gib: int

    def said(self) -> str:
        """For the person who waits for it."""
        if not self.missing:
            return "every part runs"
        return f"{', '.join(self.runs)} run; {', '.join(self.missing)} do not: they need {self.enough_gib} GiB"


def architecture(kind: str) -> Literal["amd64", "arm64"]:
    """Of a type such as m7gd.large: Graviton has a g behind the generation; a1 was the first."""
    family = kind.partition(".")[0]
    return "arm64" if family == "a1" or re.fullmatch(r"[a-z]+\d+[a-z]*g[a-z]*", family) else "amd64"


def memory_gib(instance: str) -> float:
    """GiB of a machine of the T family. ConfigurationError for any other: its figure is not in the name."""
    family, _, size = instance.partition(".")
    doubled = re.fullmatch(r"(\d*)xlarge", size)
    if family not in FAMILIES or (size not in SIZES and not doubled):
        raise ConfigurationError(
            f"The machine {instance} is not one of {', '.join(FAMILIES)}.*: how much memory it has is not known here.",
            next_step="choose a burstable machine such as t3.micro, t3.medium or t4g.large.",
        )
    return SIZES[size] if doubled is None else 16.0 * int(doubled[1] or 1)


def parts(gib: float) -> Parts:
    """1 GiB: those that people see; 4 GiB: all; 8 GiB: all, as pods of k3s. Less than 1 GiB is refused."""
    if gib < 1:
        raise ConfigurationError(
            f"A machine with {gib:g} GiB is too small.", next_step="choose one with 1 GiB or more, such as t3.micro."
        )
    if gib < 4:
        return Parts("systemd", SMALL, tuple(part for part in EVERYTHING if part not in SMALL), 4)
    return Parts("systemd" if gib < K3S_GIB else "k3s", EVERYTHING, (), 0)
