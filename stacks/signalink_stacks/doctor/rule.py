"""Owns the shape of a rule and of what it finds. A rule is a pure function of a `Host`; others hold the rules."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from signalink_stacks.doctor.host import Host, Target


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` is so; `why` it matters and the `fix` are empty when all is well."""

    verdict: Verdict
    what: str
    why: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    check: Callable[[Host], Finding]
    targets: tuple[Target, ...] = ("local",)


def ok(what: str) -> Finding:
    return Finding(Verdict.OK, what)


def warn(what: str, why: str, fix: str) -> Finding:
    """It will work, worse than it could."""
    return Finding(Verdict.WARN, what, why, fix)


def fail(what: str, why: str, fix: str) -> Finding:
    """It would not work: `signalink up` refuses."""
    return Finding(Verdict.FAIL, what, why, fix)


def size(count: int) -> str:
    """`700 MB`, rounded down."""
    return f"{count // 2**20} MB"
