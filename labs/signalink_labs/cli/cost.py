"""Owns `signalink cost`: what a stack costs a month, line by line, and whether that is too much. Creates nothing."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from signalink_core.clock import utc_now
from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_labs.cli import output
from signalink_stacks.cloud import graph
from signalink_stacks.clusters import project
from signalink_stacks.lib import images, prices
from signalink_stacks.lib.prices import Estimate
from signalink_stacks.local.state import StateFolder

Stack = Annotated[str, typer.Option("--stack", "-s", help="The stack: kind, existing, eks, aws-lite, or one of yours.")]
MaxUsd = Annotated[float | None, typer.Option("--max-usd", min=0, help="The most it may cost, in USD a month.")]


class OverBudget(SignalinkError):
    """A stack that costs more than it may, or something of unknown price."""

    code = "over_budget"
    status = 409


def cost(
    stack: Stack,
    preview: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Price a document of `pulumi preview --json`.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="FILE", help="Compare with an earlier document of --json.")
    ] = None,
    max_usd: MaxUsd = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="As if the stack's config said so; repeatable."),
    ] = None,
    as_json: output.Json = False,
) -> int:
    """Price a stack's resources by list prices. Exit 1 when a month costs more than the limit."""
    estimate, limit, present = examine(stack, preview, max_usd, settings or [])
    earlier = read(against) if against else present
    refused = prices.refusal(estimate, limit)
    if as_json:
        output.document(as_document(stack, estimate, limit, earlier))
        return 1 if refused else 0
    for line in lines(stack, estimate, limit, earlier):
        output.text(line)
    return 1 if refused else 0


def examine(
    stack: str, preview: Path | None, max_usd: float | None, settings: Sequence[str] = (), config: Path | None = None
) -> tuple[Estimate, float, float | None]:
    """The estimate; the limit: what was asked for, else what the config says; of a preview also what is paid now."""
    config = config or project.find(stack, StateFolder(), images.root())[1]
    recorded, table, today = graph.record(stack, images.root(), settings, config), prices.load(), utc_now().date()
    limit = recorded.max_usd if max_usd is None else max_usd
    if preview is None:
        return prices.price(recorded.resources, table, today), limit, None
    before, after = graph.read_preview(preview)
    return prices.price(after, table, today), limit, prices.price(before, table, today).monthly


def require(stack: str, max_usd: float | None, config: Path | None = None, settings: Sequence[str] = ()) -> Estimate:
    """OverBudget unless a month of the stack costs at most what it may; asked before anything is created."""
    estimate, limit, _ = examine(stack, None, max_usd, settings, config)
    refused = prices.refusal(estimate, limit)
    if refused:
        raise OverBudget(
            f"Nothing was created: {refused}",
            next_step=f"`signalink cost -s {stack}` lists all; --max-usd {estimate.monthly + 1:.0f} if it is meant.",
        )
    return estimate


def lines(stack: str, estimate: Estimate, limit: float, earlier: float | None) -> list[str]:
    """What people read: a line for each item, what is not in it, the verdict last."""
    shown = [f"  {line.usd:9.2f}  {line.resource}: {many(line.quantity)}{line.item}" for line in estimate.lines]
    shown += [f"  {'no price':>9}  {each}" for each in estimate.unpriced]
    shown += [f"stale, older than {prices.STALE_DAYS} days: {page}" for page in estimate.stale]
    shown += [f"unconfirmed: {page}" for page in estimate.unconfirmed]
    if estimate.lines:
        shown.append(
            f"List prices of {estimate.region}, without tax, free tier and credits; not in it: traffic, capacity "
            "units, volumes that pods claim, storage of a standby."
        )
    if earlier is not None:
        shown.append(f"{estimate.monthly - earlier:+.2f} USD a month against {earlier:.2f} before")
    refused = prices.refusal(estimate, limit)
    verdict = f"refused: {refused}" if refused else f"within the limit of {limit:g}"
    return [*shown, f"{stack}: {estimate.monthly:.2f} USD a month, {verdict}"]


def many(quantity: float) -> str:
    return "" if quantity == 1 else f"{quantity:g} x "


def as_document(stack: str, estimate: Estimate, limit: float, earlier: float | None) -> dict[str, Any]:
    return {
        "stack": stack,
        "region": estimate.region,
        "monthly_usd": round(estimate.monthly, 2),
        "max_usd": limit,
        "refused": prices.refusal(estimate, limit) or None,
        "difference_usd": None if earlier is None else round(estimate.monthly - earlier, 2),
        "lines": [asdict(line) | {"usd": round(line.usd, 2)} for line in estimate.lines],
        "unpriced": list(estimate.unpriced),
        "stale": list(estimate.stale),
        "unconfirmed": list(estimate.unconfirmed),
    }


def read(path: Path) -> float:
    """The sum in an earlier document; ConfigurationError when it has none."""
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["monthly_usd"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path} has no monthly_usd.", next_step="`signalink cost -s STACK --json > FILE` writes one."
        ) from error
