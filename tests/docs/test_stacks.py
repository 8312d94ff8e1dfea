"""docs/stacks.md has every key that the reader of a stack's configuration knows, no other; its defaults are true."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import yaml

from house.sources import ROOT
from signalink_stacks.lib import config
from signalink_stacks.lib.chartvalues import merged
from signalink_stacks.lib.settings import ENGINES, TARGETS

PAGE = (ROOT / "docs/stacks.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([\w.-]+)` \| (all|kind|existing|eks|aws-lite) \| (.+?) \| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE)
CLOUD = {"owner": "ada", "expires": "never"}
BASE: dict[str, dict[str, Any]] = {
    "kind": {"target": "kind"},
    "existing": {"target": "existing", "cluster": {"context": "lab"}},
    "eks": CLOUD | {"target": "eks", "aws": {"region": "us-east-1", "endpointCidrs": ["203.0.113.7/32"]}},
    "aws-lite": CLOUD | {"target": "aws-lite", "aws": {"region": "us-east-1", "source": "https://git.example/x"}},
}
OPEN_TABLES = ("values", "secrets", "images.map", "images.digests")
"""Whose keys are people's own."""
UNKNOWN = "zzz"


def nested(path: Sequence[str], value: Any) -> Any:
    for part in reversed(path):
        value = {part: value}
    return value


def known(target: str) -> set[str]:
    """Keys that the reader asks for: it names them when it refuses an unknown one."""
    found: set[str] = set()
    todo: list[tuple[str, ...]] = [()]
    while todo:
        path = todo.pop()
        for key in asked(target, path):
            whole = (*path, key)
            if asked(target, whole):
                todo.append(whole)
            else:
                found.add(".".join(whole))
    return found


def asked(target: str, path: tuple[str, ...]) -> list[str]:
    """Keys of a section; empty where there is none."""
    if ".".join(path) in OPEN_TABLES:
        return []
    given: Mapping[str, Any] = merged(BASE[target], nested(path, {UNKNOWN: 1}))
    _, faults = config.read("lab", given)
    said = [each.expected for each in faults if each.key == ".".join((*path, UNKNOWN))]
    match = re.fullmatch(r"a known key \((.*)\)", said[0]) if said else None
    return match[1].split(", ") if match else []


def documented() -> set[str]:
    """Keys of the table, each engine's by its name."""
    return {key.replace("ENGINE", engine) for key, _, _, _ in ROWS for engine in ENGINES}


def test_the_table_has_every_key_of_the_reader_and_no_other() -> None:
    read = {key for target in TARGETS for key in known(target)}
    assert "aws.endpointCidrs" in read and "bindings.kafka.secret.name" in read
    assert documented() ^ (read - {"aws"}) == set(), "a table; targets without a cloud do not look into it"


def test_each_key_stands_there_once() -> None:
    names = [key for key, _, _, _ in ROWS]
    assert len(names) == len(set(names)) == PAGE.count("\n| `")


@pytest.mark.parametrize(("key", "target", "default"), [row[:3] for row in ROWS if row[2].startswith("`")])
def test_a_default_that_is_set_changes_nothing(key: str, target: str, default: str) -> None:
    base = BASE["kind" if target == "all" else target]
    value = yaml.safe_load(default.strip("`"))
    for engine in ENGINES if "ENGINE" in key else ("",):
        given = merged(base, nested(key.replace("ENGINE", engine).split("."), value))
        assert config.read("lab", given) == config.read("lab", base), key


@pytest.mark.parametrize(("key", "target"), [row[:2] for row in ROWS if row[2] == "required"])
def test_what_is_required_is_missed(key: str, target: str) -> None:
    base: dict[str, Any] = merged(BASE["kind" if target == "all" else target], {})
    *path, last = key.split(".")
    section = base
    for part in path:
        section[part] = dict(section[part])
        section = section[part]
    del section[last]
    assert key in {fault.key for fault in config.read("lab", base)[1]}


def test_pulumi_says_where_the_keys_are() -> None:
    assert "docs/stacks.md lists them" in (ROOT / "Pulumi.yaml").read_text(encoding="utf-8")
