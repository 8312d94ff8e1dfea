"""How code is cut: lengths, names of modules, docstrings, return annotations, folders that must not be packages.

Each rule returns its findings; an empty list means that the rule holds. What the code does is none of its business.
"""

import ast
from statistics import median

from house.sources import Tree, functions, parse

MODULE_LINES = 400
FUNCTION_LINES = 60
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "shared"}
DOCSTRING_WORDS = 8


def long_modules(tree: Tree) -> list[str]:
    found = []
    for path in tree.python():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MODULE_LINES:
            found.append(tree.at(path, 1, f"{lines} lines, at most {MODULE_LINES}"))
    return found


def long_functions(tree: Tree) -> list[str]:
    return [
        tree.at(path, function.lineno, f"{function.name} has {length} lines, at most {FUNCTION_LINES}")
        for path in tree.python()
        for function in functions(parse(path))
        if (length := function_lines(function)) > FUNCTION_LINES
    ]


def function_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end of the body; decorators are not counted."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def typical_function(tree: Tree) -> tuple[float, int]:
    """Median and 90th percentile of the product's function lengths, in lines."""
    lengths = sorted(function_lines(item) for path in tree.product() for item in functions(parse(path)))
    return median(lengths), lengths[int(len(lengths) * 0.9)]


def typical_module(tree: Tree) -> float:
    """Median length of the product's modules in lines; empty ones are not counted."""
    return median(len(path.read_text(encoding="utf-8").splitlines()) for path in tree.product() if path.stat().st_size)


def unannotated_returns(tree: Tree) -> list[str]:
    return [
        tree.at(path, function.lineno, f"{function.name} does not say what it returns")
        for path in tree.python()
        for function in functions(parse(path))
        if function.returns is None
    ]


def thin_docstrings(tree: Tree) -> list[str]:
    """Modules whose docstring is missing or is a title only: it says what the module owns, in a whole sentence."""
    found = []
    for path in tree.python():
        words = (ast.get_docstring(parse(path)) or "").split()
        if not words:
            found.append(tree.at(path, 1, "no module docstring"))
        elif len(words) < DOCSTRING_WORDS or not any(word.endswith((".", ".)", ":")) for word in words):
            found.append(tree.at(path, 1, f"the docstring is a title ('{' '.join(words)}'): say what the module owns"))
    return found


def vague_names(tree: Tree) -> list[str]:
    return [
        tree.at(path, 1, "a module named like this owns everything; name it after what it does")
        for path in tree.python()
        if VAGUE & {part.removesuffix(".py").lstrip("_") for part in path.relative_to(tree.root).parts}
    ]


def stray_packages(tree: Tree) -> list[str]:
    """An `__init__.py` right in operator/ would shadow the standard library, one under tests/ break importlib mode."""
    return [
        tree.at(path, 1, "no __init__.py here")
        for path in tree.python("operator", "tests")
        if path.name == "__init__.py" and (path.parent.name == "operator" or tree.name(path).startswith("tests/"))
    ]
