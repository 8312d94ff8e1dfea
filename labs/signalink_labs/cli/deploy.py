"""Owns `signalink deploy`: what a pipeline does to a stack: doctor, cost, preview, up, promises, back on failure."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from signalink_core.errors import ConfigurationError
from signalink_labs.cli import clusters, cost, delivering, output
from signalink_stacks.cloud import graph
from signalink_stacks.clusters import project
from signalink_stacks.delivery import promises, rollout
from signalink_stacks.doctor import checkup
from signalink_stacks.doctor.host import Target
from signalink_stacks.lib import images, overrides, registry
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.state import StateFolder


def deploy(
    stack: cost.Stack,
    given: Annotated[
        Path | None,
        typer.Option("--images", metavar="FILE", help="JSON of the stack's key `images`: registry, digests."),
    ] = None,
    only: Annotated[
        str, typer.Option(help="`registry`: of a stack on eks only its registry, into which images can be pushed then.")
    ] = "",
    max_usd: cost.MaxUsd = None,
    as_json: output.Json = False,
) -> None:
    """Bring a stack to this checkout, or back to its last good images when it does not keep its promises."""
    say: clusters.Say = output.aside if as_json else output.text
    root = images.root()
    wanted = read(given) if given else None
    engine, config = project.find(stack, StateFolder(), root)
    settings = overrides.NO_REGISTRY if only else overrides.images(wanted or {})
    delivery = delivering.Delivery(
        engine=engine,
        root=root,
        config=config,
        promise=lambda outputs: promises.of(graph.record(stack, root, config=config), say)(outputs),
        examine=lambda: examine(target_of(stack, root, config, settings)),
        ground=lambda: rollout.laid(engine, wanted),
        settings=settings,
    )
    if only:
        alone(delivery, only, max_usd, say, as_json=as_json)
        return
    delivered = delivering.deliver(delivery, max_usd, say)
    if as_json:
        monthly = round(delivered.estimate.monthly, 2)
        output.document({"stack": stack, "monthly_usd": monthly, "outputs": delivered.outputs})
        return
    for name, url in dict(delivered.outputs.get("urls") or {}).items():
        output.text(f"  {name:<16} {url}")
    output.text(f"{stack} is deployed.")


def alone(delivery: delivering.Delivery, only: str, max_usd: float | None, say: clusters.Say, *, as_json: bool) -> None:
    """One part of a stack; ConfigurationError for a part that none has alone, and a stack that has none of it."""
    stack = delivery.engine.stack
    if only != registry.ALONE:
        raise ConfigurationError(f"No part of a stack is called {only!r}.", next_step=f"`--only {registry.ALONE}`")
    if (found := graph.record(stack, delivery.root, delivery.settings, delivery.config).target) != "eks":
        raise ConfigurationError(
            f"Stack {stack} has no registry of its own: its target is {found}, not eks.",
            next_step="`signalink images push --registry HOST/PATH` pushes to one that is there.",
        )
    address = delivering.registry(delivery, max_usd, say)
    if as_json:
        output.document({"stack": stack, "registry": address})
        return
    output.text(f"  registry         {address}")
    output.text(f"{stack} has its registry. Next: make publish REGISTRY={address}")


def examine(target: Target) -> None:
    """The doctor's rules of a target; EnvironmentBroken when one fails."""
    checkup.require(checkup.examine_here(target, StateFolder(), Wishes()))


def target_of(stack: str, root: Path, config: Path | None = None, settings: Sequence[str] = ()) -> Target:
    """Whose doctor's rules are asked."""
    found = graph.record(stack, root, settings, config).target
    return "eks" if found in {"eks", "aws-lite"} else "existing" if found == "existing" else "kind"


def read(path: Path) -> dict[str, Any]:
    """ConfigurationError when it is no JSON object with digests."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found["digests"], dict):
            raise TypeError("digests is no object")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path} names no images ({type(error).__name__}: {error}).",
            next_step="`signalink images push --registry HOST --out FILE` writes one.",
        ) from error
    return dict(found)
