"""Every value that a chart tells of does something in that chart: another one makes another rendering.

First all free texts and numbers at once become marks that are looked for. What is not found then is changed alone, and
so are those of bindings, which are refused where they do not fit together.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cases import everything, external, minimal
from charting import (
    ENGINES,
    OBSERVERS,
    RELEASED,
    SERVICES,
    Refused,
    Values,
    merged,
    render_folder,
    values_at,
    whole_charts,
)
from checklist_renders import rendered_text
from test_signin import AWS
from test_values import schemas

from signalink_stacks.charts import composed

MARK = 31_000
"""The first of the numbers that stand for values; none of them is in a chart."""
OBJECT: Values = {"kind": "Mark", "metadata": {"name": "mark"}, "name": "mark"}
"""An entry of a list, whatever it is a list of."""
HELMS = {"enabled", "signalink-lib"}
"""Read by Helm itself, not by a template."""
AUTHORITIES: Values = {
    "global": {
        "bindings": {engine: {"caConfigMap": {"name": "authorities"}} for engine in ("postgres", "redis", "kafka")}
    }
}
BASES = (everything, lambda _: {}, minimal, external, lambda _: merged(AWS, AUTHORITIES))


@pytest.fixture
def unchecked(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A whole copy of the chart that takes any value."""
    with tempfile.TemporaryDirectory(prefix="signalink-effects-") as folder:
        chart = Path(shutil.copytree(whole_charts() / request.param, Path(folder) / request.param))
        (chart / "values.schema.json").unlink()
        yield chart


def text(chart: Path, values: Values) -> str:
    """What is rendered, without random words; a refusal by a template is an effect too."""
    try:
        rendered = render_folder(chart, merged(RELEASED, values))
    except Refused as refusal:
        return str(refusal)
    return rendered_text(rendered) + rendered.notes


def told(schema: composed.Schema) -> dict[str, composed.Schema]:
    """Every key by its path, those of a binding too, which have no defaults."""
    found: dict[str, composed.Schema] = {}
    for path, prop in composed.leaves(schema).items():
        found |= composed.leaves(prop, f"{path}.") if "properties" in prop else {path: prop}
    return {path: prop for path, prop in found.items() if path.split(".")[0] not in {"global", *HELMS}}


def marks(leaves: dict[str, composed.Schema]) -> dict[str, Any]:
    """Path -> a value of its kind that is nowhere else."""
    found: dict[str, Any] = {}
    for number, (path, prop) in enumerate(leaves.items(), MARK):
        if "enum" not in prop and prop.get("type") in ("string", "integer") and not path.startswith("bindings."):
            found[path] = number if prop["type"] == "integer" else f"m{number}"
    return found


def other(prop: composed.Schema, now: Any) -> Any:
    """Another value than this one, of its kind."""
    kind = prop.get("type", "string")
    if kind == "boolean":
        return not now
    if "enum" in prop:
        return next(word for word in prop["enum"] if word != now)
    if kind == "array":
        return [OBJECT] if "object" in prop.get("items", {}).get("type", ()) else ["192.0.2.0/24"]
    return {"MARK": "mark"} if kind == "object" else MARK - 1 if kind in ("integer", "number") else "mark"


def value_at(values: Values, path: str) -> Any:
    for part in path.split("."):
        values = values.get(part) if isinstance(values, dict) else None  # type: ignore[assignment]
    return values


def idle(chart: Path, schema: composed.Schema) -> list[str]:
    """Paths of values whose change is seen in no rendering."""
    known = told(schema)
    marked = marks(known)
    values = everything(chart.name)
    for path, mark in marked.items():
        values = merged(values, values_at(path, mark))
    seen = text(chart, values)
    rest = {path: prop for path, prop in known.items() if path not in marked or str(marked[path]) not in seen}
    for base in BASES:
        given = base(chart.name)
        before, whole = text(chart, given), merged(composed.defaults(schema), given)
        for path, prop in list(rest.items()):
            if text(chart, merged(given, values_at(path, other(prop, value_at(whole, path))))) != before:
                del rest[path]
    return sorted(rest)


@pytest.mark.parametrize("unchecked", [*SERVICES, *ENGINES, *OBSERVERS], indirect=True)
def test_every_value_that_is_told_of_has_an_effect(unchecked: Path) -> None:
    assert idle(unchecked, schemas()[unchecked.name]) == []


@pytest.mark.parametrize("unchecked", ["api"], indirect=True)
def test_a_value_that_no_template_reads_is_found(unchecked: Path) -> None:
    schema = schemas()["api"]
    schema["properties"]["unread"] = {"type": "string", "description": "x", "default": ""}
    schema["properties"]["tmp"]["properties"]["unread"] = {"type": "boolean", "description": "x", "default": False}
    assert idle(unchecked, schema) == ["tmp.unread", "unread"]


@pytest.mark.parametrize(
    ("chart", "path"),
    [
        ("valkey", "bootstrap.enabled"),
        ("valkey", "bootstrap.backoffLimit"),
        ("operator", "topologySpread"),
        ("operator", "bindings.postgres"),
        ("operator", "bindings.redis"),
    ],
)
def test_a_value_that_does_nothing_is_told_to_nobody_and_still_taken(chart: str, path: str) -> None:
    assert composed.retired(composed.at(schemas()[chart], path))
    assert not [leaf for leaf in composed.leaves(schemas()[chart]) if leaf.startswith(path)]


def test_a_key_whose_keys_all_do_nothing_is_one_that_does_nothing() -> None:
    schema = {"properties": {"a": {"properties": {"b": {"default": 1}, "c": {"default": 2}}}, "d": {"default": 3}}}
    assert composed.defaults(composed.without(schema, ["a.b"])) == {"a": {"c": 2}, "d": 3}
    assert composed.defaults(composed.without(schema, ["a.b", "a.c"])) == {"d": 3}
    assert composed.defaults(schema) == {"a": {"b": 1, "c": 2}, "d": 3}
