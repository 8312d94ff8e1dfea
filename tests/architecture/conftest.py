"""Fixtures of the house rules: the real tree, and small bad samples that prove each rule able to fail."""

from collections.abc import Callable
from pathlib import Path

import pytest

from house.sources import ROOT, Tree

Sample = Callable[..., Tree]


@pytest.fixture(scope="session")
def tree() -> Tree:
    """The repository itself."""
    return Tree(ROOT)


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """Writes the given files (path to text) under a temporary root and returns them as a tree."""

    def write(files: dict[str, str]) -> Tree:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Tree(tmp_path)

    return write
