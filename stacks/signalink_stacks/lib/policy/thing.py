"""Owns what a rule sees: one resource, or all of a stack, in Pulumi's spelling, and the facts of the stack."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

WORLD: Final = frozenset({"0.0.0.0/0", "::/0"})


@dataclass(frozen=True, slots=True)
class Thing:
    """A resource before it is made. What is known only later is missing in `props`, or None.

    `uses`: property -> URNs of the resources whose outputs are in it.
    """

    type: str
    name: str
    props: Mapping[str, Any]
    urn: str = ""
    provider: str = "explicit"
    """Name of its provider."""
    uses: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def at(self, path: str) -> Any:
        """`a.b.0` in the properties; None where there is nothing, or nothing yet."""
        found: Any = self.props
        for part in path.split("."):
            if isinstance(found, Mapping):
                found = found.get(part)
            elif isinstance(found, Sequence) and not isinstance(found, str) and part.isdecimal():
                found = found[int(part)] if int(part) < len(found) else None
            else:
                return None
        return found

    def every(self, key: str) -> list[Any]:
        """A list of the properties; empty where there is none."""
        found = self.props.get(key)
        return list(found) if isinstance(found, list | tuple) else []


@dataclass(frozen=True, slots=True)
class Facts:
    """What a stack's configuration says to the rules."""

    today: date
    prod: bool = False
    max_usd: float = 0
    tags_needed: bool = True
    by_tag: bool = False
    """Images may be named by tag: they were built here and loaded into the nodes (kind)."""
    registries: tuple[str, ...] = ()
    """Hosts that images may come from, besides this account's ECR; an empty one is the engine's default."""


Check = Callable[[Thing, Facts], Iterator[str]]
Whole = Callable[[Sequence[Thing], Facts], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """`each` looks at one resource, `whole` at all of them. They yield why it is refused, and the fix."""

    code: str
    title: str
    each: Check | None = None
    whole: Whole | None = None
