"""Owns how things of a stack are called at the cloud and in the cluster, within the limits of each place. Pure."""

import hashlib
import re
from typing import Final

PROJECT: Final = "signalink"
HASH: Final = 6
STACK: Final = r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?"
"""A stack's name at a cloud: with the longest part behind it still one of a role (64 characters), and not cut."""


def name(stack: str, part: str, *, most: int = 63) -> str:
    """`signalink-<stack>-<part>` in small letters; a longer one is cut and told apart by a hash of the whole."""
    full = re.sub(r"[^a-z0-9-]+", "-", f"{PROJECT}-{stack}-{part}".lower()).strip("-")
    full = re.sub(r"-{2,}", "-", full)
    if len(full) <= most:
        return full
    digest = hashlib.sha256(full.encode()).hexdigest()[:HASH]
    return f"{full[: most - HASH - 1].rstrip('-')}-{digest}"


def output_key(stack: str, part: str) -> str:
    """A path of a secret or parameter: `/signalink/<stack>/<part>`."""
    return f"/{PROJECT}/{stack}/{part}"
