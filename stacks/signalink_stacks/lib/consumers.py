"""Owns the one table of consumer groups outside the services: who reads which topics. Pure; a test holds it to them."""

from collections.abc import Mapping
from typing import Final

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "signalink-analytics": ("messages", "analytics", "presence"),
    "signalink-notifications-planner": ("messages", "presence"),
    "signalink-notifications-dispatch": ("notifications",),
}
"""Group -> topics, both without the deployment's prefix. The prober's is left out: it reads to look, not to work."""
