"""Schemas of values put together from one fragment per concern, and the values that their defaults make. Pure."""

import copy
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

Schema = dict[str, Any]
Values = dict[str, Any]
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
RETIRED: Final[Schema] = {
    "description": "Does nothing in this chart, and is taken from older releases.",
    "deprecated": True,
}
LIBRARY: Final[Schema] = {
    "signalink-lib": {
        "type": "object",
        "description": "Helm puts the globals of the library chart here; leave it alone.",
    }
}


def load(folder: Path) -> dict[str, Schema]:
    """Fragment name -> its `properties`."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))["properties"] for path in sorted(folder.glob("*.json"))
    }


def compose(
    title: str, fragments: Mapping[str, Schema], concerns: Iterable[str], defaults: Mapping[str, Any], keys: Schema
) -> Schema:
    """The schema of one chart. `defaults`: dotted path -> the chart's default; `keys`: properties of its own."""
    properties: Schema = {}
    for concern in concerns:
        clash = properties.keys() & fragments[concern].keys()
        if clash:
            raise ValueError(f"{title}: {', '.join(sorted(clash))} is said twice, the second time by {concern}")
        properties |= copy.deepcopy(fragments[concern])
    properties |= copy.deepcopy(keys) | copy.deepcopy(LIBRARY)
    schema = {"$schema": DRAFT, "title": title, "type": "object", "additionalProperties": False}
    schema["properties"] = properties
    for path, value in defaults.items():
        at(schema, path)["default"] = value
    return schema


def without(schema: Schema, paths: Iterable[str]) -> Schema:
    """The schema with these keys taken, since an older release may still say them, and told to nobody: they do nothing.

    A key whose keys all do nothing does nothing itself.
    """
    schema = copy.deepcopy(schema)
    for path in paths:
        parent, _, name = path.rpartition(".")
        keys = (at(schema, parent) if parent else schema)["properties"]
        keys[name] = RETIRED
        if parent and all(retired(each) for each in keys.values()):
            above, _, last = parent.rpartition(".")
            (at(schema, above) if above else schema)["properties"][last] = RETIRED
    return schema


def retired(prop: Schema) -> bool:
    return prop.get("deprecated", False) is True


def at(schema: Schema, path: str) -> Schema:
    """The property at a dotted path; KeyError when the schema has no such key."""
    for part in path.split("."):
        schema = schema["properties"][part]
    return schema


def defaults(schema: Schema) -> Values:
    """The values the schema's defaults say. A property without one is left out: it may be set, and then overrides."""
    values: Values = {}
    for name, prop in schema["properties"].items():
        if "default" in prop:
            values[name] = copy.deepcopy(prop["default"])
        elif "properties" in prop:
            values[name] = defaults(prop)
    return values


def leaves(schema: Schema, prefix: str = "") -> dict[str, Schema]:
    """Dotted path -> property, for every key that does something and has no keys below it in the schema."""
    found: dict[str, Schema] = {}
    for name, prop in schema["properties"].items():
        path = f"{prefix}{name}"
        if retired(prop):
            continue
        found |= leaves(prop, f"{path}.") if "properties" in prop and "default" not in prop else {path: prop}
    return found
