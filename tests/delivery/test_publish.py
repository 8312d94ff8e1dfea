"""L1: images are pushed, asked for by digest, and signed by that digest with their list of contents; nothing by tag."""

import json
from pathlib import Path

import pytest

from signalink_core.errors import DependencyUnavailable
from signalink_labs.cli import app
from signalink_stacks.delivery import publish
from signalink_stacks.delivery.publish import Wish
from signalink_stacks.lib import images

DIGEST = "sha256:" + "a" * 64
API = images.load().named("api")


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that write down how they were called; `crane` knows one digest."""
    record = tmp_path / "called"
    record.touch()
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("docker", "cosign", "crane"):
        answer = f"echo {DIGEST}" if name == "crane" else "true"
        (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {record}\n{answer}\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return record


def wish(tmp_path: Path, *, signed: bool = True) -> Wish:
    return Wish("registry.example.org/team", "abc", tmp_path / "contents", signed=signed)


def test_each_step_comes_in_its_order_and_signing_is_by_digest(called: Path, tmp_path: Path) -> None:
    found = publish.publish([API], wish(tmp_path), lambda reference: DIGEST, lambda _: None)
    assert found == {API.repository: DIGEST}
    there = f"registry.example.org/team/{API.repository}"
    lines = called.read_text().splitlines()
    assert [" ".join(line.split()[:2]) for line in lines] == [
        "docker tag", "docker push", "docker create", "docker cp", "docker rm", "cosign sign", "cosign attest",
    ]  # fmt: skip
    assert lines[1].endswith(f"{there}:abc")
    assert lines[5].endswith(f"{there}@{DIGEST}")
    assert lines[6].endswith(f"{there}@{DIGEST}")
    assert "--type cyclonedx" in lines[6]
    assert f"/usr/share/sbom/signalink-{API.name}.cdx.json" in lines[3]


def test_unsigned_leaves_cosign_out(called: Path, tmp_path: Path) -> None:
    publish.publish([API], wish(tmp_path, signed=False), lambda reference: DIGEST, lambda _: None)
    assert "cosign sign" not in called.read_text()


def test_a_push_that_fails_is_told_and_nothing_is_signed(called: Path, tmp_path: Path) -> None:
    docker = tmp_path / "bin/docker"
    docker.write_text('#!/bin/sh\n[ "$1" = push ] && { echo "denied: no rights" >&2; exit 1; }\nexit 0\n')
    with pytest.raises(DependencyUnavailable, match="failed: denied: no rights"):
        publish.publish([API], wish(tmp_path), lambda reference: DIGEST, lambda _: None)
    assert "cosign sign" not in called.read_text()


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyUnavailable, match="docker is not on PATH"):
        publish.publish([API], wish(tmp_path), lambda reference: DIGEST, lambda _: None)


def test_the_command_writes_what_a_stack_takes(called: Path, tmp_path: Path) -> None:
    out = tmp_path / "dist/images.json"
    words = ["images", "push", "api", "--registry", "registry.example.org", "--tag", "abc", "--out", str(out), "--json"]
    assert app.run(words) == 0
    assert json.loads(out.read_text()) == {"registry": "registry.example.org", "digests": {API.repository: DIGEST}}
