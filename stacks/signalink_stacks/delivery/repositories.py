"""Owns the first step of a stack on EKS: its registry alone, so that images are there before the pods that pull them.

The program registers nothing else then (`lib.registry.ONLY`), and the engine is given as its targets just what is not
there yet: what the stack has besides stays as it is, even what stands on the same things. Until the next whole update
the stack's outputs are those of this step.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from signalink_core.errors import DependencyUnavailable
from signalink_stacks.delivery.rollout import Engine
from signalink_stacks.lib import images, registry

REPOSITORY: Final = "aws:ecr/repository:Repository"
ROOT: Final = "pulumi:pulumi:Stack"
Say = Callable[[str], None]


def make(engine: Engine, say: Say) -> str:
    """The registry's address. Nothing is done where every image of the catalogue has its repository already."""
    wanted = set(registry.repositories(images.load(), registry.prefix(engine.stack)).values())
    known = found(engine)
    if wanted <= known.keys():
        say("the registry is there")
    else:
        say(f"{len(wanted - known.keys())} repositories to make")
        alone = replace(engine, env={**engine.env, registry.ONLY: registry.ALONE})
        words = [word for each in missing(alone) for word in ("--target", each)]
        alone.checked("preview", *words)
        alone.checked("up", "--yes", "--skip-preview", *words)
        known = found(engine)
    address = next((url.removesuffix(f"/{name}") for name, url in known.items() if name in wanted), "")
    if not address:
        raise DependencyUnavailable(
            f"Stack {engine.stack} has no repository after its registry was made.",
            next_step=f"`pulumi up --stack {engine.stack}` shows what is in the way.",
        )
    return f"{address}/{registry.prefix(engine.stack)}"


def missing(alone: Engine) -> list[str]:
    """URNs that the program would make: all that the engine may touch. In that preview the rest looks deleted."""
    steps = json.loads(alone("preview", "--json") or "{}").get("steps") or []
    urns = [str(step["urn"]) for step in steps if step.get("op") == "create"]
    return [urn for urn in urns if urn.split("::")[2] != ROOT]


def found(engine: Engine) -> dict[str, str]:
    """Name -> address of the repositories that the stack has."""
    document = json.loads(engine("stack", "export") or "{}")
    resources: list[Mapping[str, Any]] = (document.get("deployment") or {}).get("resources") or []
    made = [each.get("outputs") or {} for each in resources if each.get("type") == REPOSITORY]
    return {str(each["name"]): str(each["repositoryUrl"]) for each in made if each.get("repositoryUrl")}
