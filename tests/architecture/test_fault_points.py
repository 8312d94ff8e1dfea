"""Every fault point of the catalogue exists in the product and is made to fail by a test."""

from collections.abc import Callable

import pytest

from house import faultpoints
from house.sources import Tree

Sample = Callable[[dict[str, str]], Tree]
Rule = Callable[[Tree], list[str]]
RULES: list[Rule] = [
    faultpoints.unused_fault_points,
    faultpoints.unknown_fault_points,
    faultpoints.untested_fault_points,
]
CATALOGUE = {faultpoints.CATALOGUE: 'CATALOGUE: Final = frozenset({"a.b"})\n'}
CODE = {"services/relay/signalink_relay/a.py": 'await faults.point("a.b", topic="t")\n'}
TEST = {"tests/relay/test_a.py": 'FAULT = {"point": "a.b", "action": "crash"}\n'}
WHOLE = CATALOGUE | CODE | TEST


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Rule, tree: Tree) -> None:
    assert rule(tree) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_whole_sample_is_left_alone(rule: Rule, sample: Sample) -> None:
    assert rule(sample(WHOLE)) == []


@pytest.mark.parametrize(
    ("rule", "files"),
    [
        (faultpoints.unused_fault_points, CATALOGUE | TEST),
        (faultpoints.unknown_fault_points, CATALOGUE | CODE | {"labs/a.py": 'faults.fires("a.c")\n'}),
        (faultpoints.untested_fault_points, CATALOGUE | CODE),
        (faultpoints.untested_fault_points, CATALOGUE | CODE | {"tests/core/test_faults.py": 'A = "a.b"\n'}),
    ],
)
def test_the_rule_finds_what_is_missing(rule: Rule, files: dict[str, str], sample: Sample) -> None:
    assert len(rule(sample(files))) == 1


def test_the_catalogue_is_found_where_it_is(tree: Tree) -> None:
    assert len(faultpoints.unused_fault_points(tree)) < 5 < len(faultpoints._catalogue(tree))
