"""Owns laying settings (KEY=VALUE) over a stack's configuration, for who asks what would be if it said so. Pure.

A deployment is judged with what it will write, not with what it is about to replace.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from signalink_stacks.lib import chartvalues

NO_REGISTRY: Final = ('images.registry=""',)
"""For the step that makes the registry: it pulls no image, so it is refused for no other registry's name."""


def laid(raw: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """The configuration with each setting on top; tables are merged, everything else is replaced."""
    found = dict(raw)
    for each in settings:
        key, _, value = each.partition("=")
        found = chartvalues.merged(found, _nested(key.split("."), yaml.safe_load(value)))
    return found


def images(wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """Settings that replace these keys of `images`, whole: digests of two registries are not mixed."""
    pairs = [(f"images.{key}=null", f"images.{key}={json.dumps(value)}") for key, value in wanted.items()]
    return tuple(setting for pair in pairs for setting in pair)


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    return {keys[0]: _nested(keys[1:], value) if keys[1:] else value}
