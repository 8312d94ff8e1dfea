"""Owns the steps by which a stack of Pulumi comes up, on every target: doctor, cost, ground, preview, up, promises.

`signalink deploy` and `signalink up --target kind|existing` both take them; what differs is in a `Delivery`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from signalink_labs.cli import cost
from signalink_stacks.clusters import words
from signalink_stacks.delivery import repositories, rollout
from signalink_stacks.lib.prices import Estimate

Say = Callable[[str], None]
Images = Mapping[str, Any] | None


def nothing() -> Images:
    """No ground to be laid, and the images stay as the stack says."""
    return None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One way up. `ground` makes what the stack stands on, once it is known that nothing refuses it."""

    engine: rollout.Engine
    root: Path
    promise: rollout.Promise
    examine: Callable[[], None]
    """The doctor: raises when something is in the way."""
    ground: Callable[[], Images] = nothing
    """A cluster, images in it; answers what the stack's key `images` shall be."""
    config: Path | None = None
    """The stack's file, if not in the checkout."""
    settings: tuple[str, ...] = ()
    """What lies over that file (`lib.overrides`) while nothing is made yet: what this way up replaces is not judged."""
    back: bool = True
    """Whether a failure goes back to the last good images, or is left for somebody to look at."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of it."""

    estimate: Estimate
    outputs: Mapping[str, Any] = field(default_factory=dict)


def deliver(delivery: Delivery, max_usd: float | None, say: Say) -> Delivered:
    """Stops at the first refusal, before anything is made."""
    estimate = allowed(delivery, max_usd, say)
    images = delivery.ground()
    completed(delivery, say)
    return Delivered(estimate, rollout.deploy(delivery.engine, images, delivery.promise, say, back=delivery.back))


def registry(delivery: Delivery, max_usd: float | None, say: Say) -> str:
    """Only the registry of a stack, by the same refusals; its address, for a push."""
    allowed(delivery, max_usd, say)
    completed(delivery, say)
    return repositories.make(delivery.engine, say)


def allowed(delivery: Delivery, max_usd: float | None, say: Say) -> Estimate:
    """Doctor and cost, which may refuse."""
    say("doctor")
    delivery.examine()
    estimate = cost.require(delivery.engine.stack, max_usd, delivery.config, delivery.settings)
    say(f"cost: {estimate.monthly:.2f} USD a month")
    return estimate


def completed(delivery: Delivery, say: Say) -> None:
    """Secrets that the stack's file has not yet."""
    engine = delivery.engine
    for line in words.complete(engine.stack, delivery.root, engine.root, engine.env, delivery.settings).told:
        say(line)
