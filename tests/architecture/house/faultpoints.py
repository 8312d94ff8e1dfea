"""The catalogue of fault points against the tree: each name is a place in the product, and some test makes it fail.

Works on the strings in the code: which name a call gives, and which names a test or a long proof speaks of.
"""

import ast
from collections.abc import Iterator

from house.sources import Tree, calls, parse

CATALOGUE = "services/core/signalink_core/faults.py"
OF_THE_MECHANISM = {"tests/core/test_faults.py", "tests/core/test_internal_port.py", "tests/core/test_process.py"}
"""Tests of setting and counting faults, which borrow any name."""


def unused_fault_points(tree: Tree) -> list[str]:
    """Names of the catalogue at which no code can fail."""
    asked = {name for path in tree.product() for name, _, _ in _first_words(parse(path))}
    return [f"{CATALOGUE}: no code fails at {name}" for name in sorted(_catalogue(tree) - asked)]


def unknown_fault_points(tree: Tree) -> list[str]:
    """Places whose name the catalogue lacks, so that no fault can be set there."""
    known = _catalogue(tree)
    return [
        tree.at(path, line, f"{name} is not in the catalogue of fault points")
        for path in tree.product()
        for name, line in _asked(parse(path)).items()
        if name not in known
    ]


def untested_fault_points(tree: Tree) -> list[str]:
    """Names that no test on the real parts, and no long proof, makes fail."""
    spoken = {
        node.value
        for path in tree.tests()
        if tree.name(path) not in OF_THE_MECHANISM and not tree.name(path).startswith(("tests/arch", "tests/bench"))
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return [f"{CATALOGUE}: no test fails at {name}" for name in sorted(_catalogue(tree) - spoken)]


def _catalogue(tree: Tree) -> set[str]:
    """The strings of the set that `CATALOGUE` is bound to."""
    path = tree.root / CATALOGUE
    if not path.is_file():
        return set()
    return {
        node.value
        for statement in parse(path).body
        if isinstance(statement, ast.AnnAssign | ast.Assign) and "CATALOGUE" in ast.unparse(_target(statement))
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _target(statement: ast.AnnAssign | ast.Assign) -> ast.expr:
    return statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]


def _asked(module: ast.Module) -> dict[str, int]:
    """Name -> line of every `faults.point("...")` and `faults.fires("...")`."""
    return {word: line for word, line, call in _first_words(module) if call in {"faults.point", "faults.fires"}}


def _first_words(module: ast.Module) -> Iterator[tuple[str, int, str]]:
    """First argument, line and name of every call that begins with a string: a module may have a helper of its own."""
    for name, call in calls(module):
        given = call.args[0] if call.args else None
        if isinstance(given, ast.Constant) and isinstance(given.value, str):
            yield given.value, call.lineno, name
