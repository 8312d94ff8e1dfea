"""Generated equals committed: `make docs` in a copy of the tree changes no file there."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from house.sources import ROOT, Tree, without_make

PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
EDITED = "services/core/signalink_core/telemetry/names.py"
REMOVED = "docs/api/events/message.created.json"


@pytest.fixture
def copy(tree: Tree, tmp_path: Path) -> Path:
    """The tree's files under a temporary folder."""
    for path in tree.files:
        target = tmp_path / tree.name(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    return tmp_path


def make_docs(copy: Path) -> None:
    """Runs `make docs` there with this environment's programs and the copy's packages."""
    python_path = os.pathsep.join(str(copy / folder) for folder in PACKAGES["dev-mode-dirs"])
    ran = subprocess.run(
        ["make", "docs", f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.dev"],
        cwd=copy,
        env={**without_make(), "PYTHONPATH": python_path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    return sorted(name for name in before | after if before.get(name) != after.get(name))


def test_what_is_generated_equals_what_is_committed(copy: Path) -> None:
    committed = contents(copy)
    make_docs(copy)
    assert changed(committed, contents(copy)) == []


def test_a_generated_file_edited_by_hand_is_noticed_and_put_right(copy: Path) -> None:
    committed = contents(copy)
    (copy / EDITED).write_text('"""Edited by hand, so that it is no longer what the generator writes."""\n')
    (copy / REMOVED).unlink()
    assert changed(committed, contents(copy)) == [REMOVED, EDITED]
    make_docs(copy)
    assert changed(committed, contents(copy)) == []
