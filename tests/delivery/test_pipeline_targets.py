"""What a pipeline's `make` targets say where a part is missing, and what they run: no cloud, no registry is here."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from house.sources import ROOT

MAKE = shutil.which("make") or "make"
LATER = ("-o", ".venv/.dev", "-o", ".venv-stacks/.stacks")
"""The environments are as they are."""


def make(folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    """Run in the checkout with only these programs on PATH."""
    for name in ("sh", "mkdir", "tail", "test", "cat", "git", "mktemp", "rm", "find", "sed"):
        if (found := shutil.which(name)) and not (folder / name).exists():
            (folder / name).symlink_to(found)
    env = {"PATH": str(folder), "HOME": str(folder), "LANG": "C.UTF-8", **environment}
    done = subprocess.run(
        [MAKE, "--no-print-directory", "-C", str(ROOT), *LATER, *words],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("publish",), "which registry?"),
        (("publish", "REGISTRY=127.0.0.1:5000"), "docker is not on PATH"),
        (("real",), "docker is not on PATH"),
    ],
)
def test_a_missing_part_is_named_with_the_next_step(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    code, said = make(tmp_path, *words)
    assert code and told in said and "Next:" in said


def test_a_comment_asks_for_its_preview_its_request_and_its_program(tmp_path: Path) -> None:
    preview = ROOT / "dist/preview.md"
    kept = preview.read_bytes() if preview.exists() else None
    preview.unlink(missing_ok=True)
    preview.parent.mkdir(exist_ok=True)
    try:
        assert "Next: make preview" in make(tmp_path, "comment")[1]
        preview.write_text("### Stack eks\n")
        assert "PULL_REQUEST=NUMBER" in make(tmp_path, "comment")[1]
        assert "gh is not on PATH" in make(tmp_path, "comment", PULL_REQUEST="7")[1]
        program = tmp_path / "gh"
        program.write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/called\n')
        program.chmod(stat.S_IRWXU)
        assert make(tmp_path, "comment", PULL_REQUEST="7")[0] == 0
        called = (tmp_path / "called").read_text().split()
        assert called == ["pr", "comment", "7", "--body-file", "dist/preview.md", "--edit-last", "--create-if-none"]
    finally:
        preview.unlink(missing_ok=True)
        if kept is not None:
            preview.write_bytes(kept)


def test_drift_asks_the_engine_for_a_preview_that_finds_nothing(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/called\nexit 3\n')
    program.chmod(stat.S_IRWXU)
    code, _ = make(tmp_path, "drift", "STACK=eks", SIGNALINK_STATE=str(tmp_path / "state"))
    assert code, "what the engine finds ends the target"
    called = (tmp_path / "called").read_text().split()
    assert called == ["refresh", "--preview-only", "--expect-no-changes", "--stack", "eks", "--non-interactive"]
