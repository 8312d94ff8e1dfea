"""Owns what a stack costs a month: the table prices.toml, and pricing a graph's resources with it. Pure.

Where the resources come from is `cloud.graph`'s; the policy pack asks here too, so a limit means one thing everywhere.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from signalink_core.errors import ConfigurationError

FILE: Final = Path(__file__).with_name("prices.toml")
HOURS: Final = 730
"""Of a month, as AWS counts it."""
STALE_DAYS: Final = 180
DEAREST: Final = 3
Usd = Annotated[float, Field(ge=0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Table):
    """The page of a price, and the day when it was written down. `confirmed`: read from the page on that day."""

    url: Annotated[str, Field(pattern=r"^https://")]
    date: date
    confirmed: bool


class Price(_Table):
    """One price of one type of resource; prices.toml tells what each key means."""

    type: str
    item: str
    unit: Literal["hour", "month"]
    usd: Usd
    source: str
    match: dict[str, Any] = {}
    times: tuple[str, ...] = ()
    default: float = 1.0
    besides: bool = False

    def fits(self, inputs: Mapping[str, Any]) -> bool:
        return all(value_of(inputs, path) == wanted for path, wanted in self.match.items())

    def quantity(self, inputs: Mapping[str, Any]) -> float:
        """The product of `times`; an input that says nothing known counts as `default`, of several the last alone."""
        result = 1.0 if self.times else self.default
        for path in self.times:
            known = amount(value_of(inputs, path))
            missing = self.default if path == self.times[-1] else 1.0
            result *= missing if known is None else known
        return result

    def monthly(self, inputs: Mapping[str, Any]) -> float:
        return self.usd * self.quantity(inputs) * (HOURS if self.unit == "hour" else 1)


class Machine(_Table):
    name: str
    usd: Usd

    def prices(self) -> tuple[Price, Price]:
        """As one instance, and as the nodes of a group."""
        alone = Price(
            type="aws:ec2/instance:Instance", item=self.name, match={"instanceType": self.name},
            unit="hour", usd=self.usd, source="ec2",
        )  # fmt: skip
        nodes = Price(
            type="aws:eks/nodeGroup:NodeGroup", item=f"node {self.name}", match={"instanceTypes.0": self.name},
            times=("scalingConfig.desiredSize",), default=1, unit="hour", usd=self.usd, source="ec2",
        )  # fmt: skip
        return alone, nodes


class Table(_Table):
    """The whole of prices.toml."""

    region: str
    free: tuple[str, ...]
    sources: dict[str, Source]
    price: tuple[Price, ...]
    machine: tuple[Machine, ...]

    @model_validator(mode="after")
    def _each_price_has_a_source(self) -> Self:
        for each in self.prices:
            if each.source not in self.sources:
                raise ValueError(f"{each.type} ({each.item}): the source {each.source} is not in [sources]")
        return self

    @property
    def prices(self) -> tuple[Price, ...]:
        return (*self.price, *(price for machine in self.machine for price in machine.prices()))

    def of(self, kind: str) -> list[Price]:
        return [each for each in self.prices if each.type == kind]

    def is_free(self, kind: str) -> bool:
        return any(fnmatchcase(kind, pattern) for pattern in self.free)


@dataclass(frozen=True, slots=True)
class Resource:
    """One node of a stack's graph, its inputs in Pulumi's spelling."""

    type: str
    name: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """`quantity` of an item of one resource, `usd` a month altogether."""

    resource: str
    item: str
    quantity: float
    usd: float

    def __str__(self) -> str:
        many = f"{self.quantity:g} x " if self.quantity != 1 else ""
        return f"{self.resource}: {many}{self.item}, {self.usd:.2f} USD"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A month of a stack. `unpriced`: what is billed and has no price; `stale`, `unconfirmed`: pages of prices used."""

    region: str
    lines: tuple[Line, ...]
    unpriced: tuple[str, ...]
    stale: tuple[str, ...]
    unconfirmed: tuple[str, ...]

    @property
    def monthly(self) -> float:
        return sum(line.usd for line in self.lines)

    def dearest(self) -> list[Line]:
        return sorted(self.lines, key=lambda line: -line.usd)[:DEAREST]


def load(path: Path = FILE) -> Table:
    """The table; ConfigurationError that names each wrong key."""
    try:
        return Table.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError, OSError) as error:
        raise ConfigurationError(
            f"{path.name} is not a table of prices: {error}", next_step=f"correct {path}"
        ) from error


def price(resources: Sequence[Resource], table: Table, today: date) -> Estimate:
    """A line for each price that fits, dearest first."""
    lines: list[Line] = []
    unpriced: list[str] = []
    used: set[str] = set()
    for resource in resources:
        if table.is_free(resource.type):
            continue
        found = [each for each in table.of(resource.type) if each.fits(resource.inputs)]
        if all(each.besides for each in found):
            unpriced.append(_unpriced(resource, table.of(resource.type)))
            continue
        for each in found:
            used.add(each.source)
            quantity, usd = each.quantity(resource.inputs), each.monthly(resource.inputs)
            lines.append(Line(resource.name, each.item, quantity, usd))
    sources = [table.sources[name] for name in sorted(used)]
    return Estimate(
        table.region,
        tuple(sorted(lines, key=lambda line: (-line.usd, line.resource, line.item))),
        tuple(unpriced),
        tuple(source.url for source in sources if (today - source.date).days > STALE_DAYS),
        tuple(source.url for source in sources if not source.confirmed),
    )


def refusal(estimate: Estimate, limit: float) -> str:
    """Why nothing may be created; empty when it may."""
    if estimate.unpriced:
        return f"{len(estimate.unpriced)} without a price: {'; '.join(estimate.unpriced)}."
    if round(estimate.monthly, 2) <= limit:
        return ""
    dearest = "; ".join(map(str, estimate.dearest()))
    return f"{estimate.monthly:.2f} USD a month is over the limit of {limit:g}. The dearest: {dearest}."


def value_of(inputs: Mapping[str, Any], path: str) -> Any:
    """`a.b` in nested inputs, `a.0` in a list; None where there is nothing."""
    found: Any = inputs
    for part in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, Sequence) and not isinstance(found, str) and part.isdecimal():
            found = found[int(part)] if int(part) < len(found) else None
        else:
            return None
    return found


def amount(value: Any) -> float | None:
    """A number, or how many a list has; None for what is not known before the cloud answers."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    return float(len(value)) if isinstance(value, list | tuple) else None


def _unpriced(resource: Resource, known: Sequence[Price]) -> str:
    keys = sorted({path for each in known if not each.besides for path in each.match})
    shown = ", ".join(f"{path} {value_of(resource.inputs, path)}" for path in keys)
    return f"{resource.name} ({resource.type}{' with ' + shown if shown else ''})"
