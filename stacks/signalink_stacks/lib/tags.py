"""Owns the tags of everything a stack pays for, and the labels of everything it makes in a cluster. Pure.

`signalink sweep` and the policy pack find a stack's things by them.
"""

from typing import Final

from signalink_stacks.lib.settings import Config

STACK: Final = "signalink.dev/stack"
OWNER: Final = "signalink.dev/owner"
EXPIRES: Final = "signalink.dev/expires"
NEVER: Final = "never"
REQUIRED: Final = (STACK, OWNER, EXPIRES)
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
PART_OF: Final = "app.kubernetes.io/part-of"
SHARED: Final = {PART_OF: "signalink"}
"""Labels of what all stacks of a cluster use and none owns."""


def tags(config: Config, **more: str) -> dict[str, str]:
    """Tags of a resource at the cloud; `more` adds others, such as Name."""
    expires = config.expires.isoformat() if config.expires else NEVER
    return {STACK: config.stack, OWNER: config.owner, EXPIRES: expires, **more}


def labels(config: Config) -> dict[str, str]:
    """Labels of an object in a cluster that no chart makes."""
    return {**SHARED, STACK: config.stack, MANAGED_BY: "pulumi"}
