"""Owns which repository of a registry each image of `charts/images.yaml` is kept in. Pure; pushing is another's work.

Every image a cluster runs is copied there, so a pull never leaves the account and never meets a rate limit.
"""

from typing import Any, Final

from signalink_stacks.lib import names
from signalink_stacks.lib.images import Catalogue

ONLY: Final = "SIGNALINK_ONLY"
"""Environment of the program: `registry` has it register a stack's registry and what that stands on, and nothing else.

`delivery.repositories` sets it, and targets just that: an update without targets would delete the rest of the stack.
"""
ALONE: Final = "registry"
KEEP_UNTAGGED_DAYS: Final = 7
KEEP_IMAGES: Final = 30
BUILT: Final = "build-"
"""What tags of our images begin with in a registry: it is these that are counted."""
SIGNATURES: Final = "sha256-*"
"""Tags in which cosign keeps signatures and lists of contents of an image, `.sig` and `.att`: it writes them again."""
SIGNED_BY: Final = 2


def prefix(stack: str) -> str:
    """What the names of a stack's repositories begin with; `HOST/prefix` is its registry, for charts and for a push."""
    return names.name(stack, "images")


def repositories(catalogue: Catalogue, prefix: str) -> dict[str, str]:
    """Repository as `images.yaml` names it -> its name in the registry; every image that a pod can run."""
    return {image.repository: f"{prefix}/{image.repository}" for image in catalogue if image.runs}


def host(region: str) -> str:
    """Pattern of the host of an account's own registry in a region; the group `account` is its number."""
    return rf"(?P<account>\d{{12}})\.dkr\.ecr(-fips)?\.{region}\.amazonaws\.com(\.cn)?"


def lifecycle() -> dict[str, Any]:
    """Untagged ones go after a week; of our builds the newest thirty stay, with what they are signed by.

    Enough to go back, little to pay. Copies of others have other tags: they stay, since nobody makes new ones daily.
    """
    age = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days"}
    return {
        "rules": [
            _rule(1, "untagged images", age | {"countNumber": KEEP_UNTAGGED_DAYS}),
            _rule(2, "old builds", _newest(f"{BUILT}*", KEEP_IMAGES)),
            _rule(3, "signatures of old builds", _newest(SIGNATURES, KEEP_IMAGES * SIGNED_BY)),
        ]
    }


def _newest(pattern: str, count: int) -> dict[str, Any]:
    tags = {"tagStatus": "tagged", "tagPatternList": [pattern]}
    return tags | {"countType": "imageCountMoreThan", "countNumber": count}


def _rule(priority: int, what: str, selection: dict[str, Any]) -> dict[str, Any]:
    return {
        "rulePriority": priority,
        "description": f"Delete {what}",
        "selection": selection,
        "action": {"type": "expire"},
    }
