"""The files the house rules look at: what git tracks (and new files it does not ignore), read and parsed once.

Owns listing, reading and parsing; what is allowed in those files is decided by the other modules of this folder.
"""

import ast
import os
import subprocess
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = ("services", "operator", "stacks", "labs", "dashboards")
BINARY = {".png", ".jpg", ".gif", ".ico", ".woff2", ".jar", ".whl"}
IGNORED = {
    ".venv",
    ".signalink",
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    "node_modules",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@lru_cache(maxsize=2048)
def parse(path: Path) -> ast.Module:
    """The syntax tree of one Python file; parsed once per run."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


class Tree:
    """The files under `root`; findings name them relative to it as `path:line: what is wrong`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def files(self) -> list[Path]:
        if not (self.root / ".git").exists():
            return sorted(path for path in self.root.rglob("*") if path.is_file() and not IGNORED & set(path.parts))
        listing = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=self.root,
            capture_output=True,
            check=True,
            timeout=30,
        ).stdout.decode()
        return sorted(path for name in set(listing.split("\0")) if name and (path := self.root / name).is_file())

    def name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def at(self, path: Path, line: int, finding: str) -> str:
        return f"{self.name(path)}:{line}: {finding}"

    def python(self, *tops: str) -> list[Path]:
        """Python files, of the whole tree or of the named top folders."""
        found = (path for path in self.files if path.suffix == ".py")
        return [path for path in found if not tops or path.relative_to(self.root).parts[0] in tops]

    def product(self) -> list[Path]:
        return self.python(*PRODUCT)

    def tests(self) -> list[Path]:
        return self.python("tests")

    def texts(self) -> Iterator[tuple[Path, str]]:
        for path in self.files:
            if path.suffix not in BINARY:
                try:
                    yield path, path.read_text(encoding="utf-8")
                except UnicodeDecodeError:
                    continue


def without_make() -> dict[str, str]:
    """The environment without what an outer `make test` put there, so that an inner make starts afresh."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}


def functions(module: ast.Module) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls(module: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with its dotted name as written (`asyncio.Queue`, `self.pool.acquire`; subscripts left out)."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return dotted(node.value)
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{dotted(node.func)}()"
    return node.id if isinstance(node, ast.Name) else "?"
