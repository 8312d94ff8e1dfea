"""Owns which repository of a registry each image of `charts/images.yaml` is kept in. Pure; pushing is another's work.

Every image a cluster runs is copied there, so a pull never leaves the account and never meets a rate limit.
"""

from collections.abc import Mapping
from typing import Any, Final

from signalink_stacks.lib.images import Catalogue

KEEP_UNTAGGED_DAYS: Final = 7
KEEP_IMAGES: Final = 30


def repositories(catalogue: Catalogue, stack: str) -> dict[str, str]:
    """Repository as `images.yaml` names it -> its name in the registry of `stack`; every image that a pod can run."""
    return {image.repository: f"{stack}/{image.repository}" for image in catalogue if image.role != "base"}


def image_map(host: str, names: Mapping[str, str]) -> dict[str, str]:
    """Value of the charts' `global.imageMap`: a repository -> where it is pulled from instead."""
    return {repository: f"{host}/{name}" for repository, name in names.items()}


def lifecycle() -> dict[str, Any]:
    """Untagged layers go after a week; of each image the newest thirty stay: enough to go back, little to pay."""
    return {
        "rules": [
            _rule(
                1, "untagged images", {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days"}
            ),
            _rule(2, "old images", {"tagStatus": "any", "countType": "imageCountMoreThan"}),
        ]
    }


def _rule(priority: int, what: str, selection: dict[str, Any]) -> dict[str, Any]:
    count = KEEP_UNTAGGED_DAYS if selection["tagStatus"] == "untagged" else KEEP_IMAGES
    return {
        "rulePriority": priority,
        "description": f"Delete {what}",
        "selection": selection | {"countNumber": count},
        "action": {"type": "expire"},
    }
