"""Digests: asked by a tool on PATH, written where they belong, and nothing is written when one is missing."""

import stat
from pathlib import Path

import pytest
import yaml

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.containers import pin
from signalink_stacks.lib import images

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def program(folder: Path, name: str, script: str) -> None:
    """A program on a PATH of its own: it stands for a tool that a registry would answer."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(stat.S_IRWXU)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_first_tool_that_is_there_is_asked_for_the_whole_reference(programs: Path) -> None:
    program(programs, "skopeo", f'echo "$@" > {programs}/asked; echo {ONE}')
    assert pin.asker()("valkey/valkey:9.1") == ONE
    assert (programs / "asked").read_text().split()[-1] == "docker://valkey/valkey:9.1"
    program(programs, "crane", f"echo {TWO}")
    assert pin.asker()("valkey/valkey:9.1") == TWO


def test_without_a_tool_it_says_which_to_install(programs: Path) -> None:
    with pytest.raises(ConfigurationError, match="No tool") as caught:
        pin.asker()
    assert "crane" in str(caught.value.next_step)


@pytest.mark.parametrize("script", ["echo 'manifest unknown' >&2; exit 1", "echo no digest here"])
def test_what_the_registry_does_not_have_is_said_with_its_reason(programs: Path, script: str) -> None:
    program(programs, "crane", script)
    with pytest.raises(DependencyUnavailable, match="crane found no digest of python:0"):
        pin.asker()("python:0")


def test_those_of_others_without_a_digest_are_asked_for_and_ours_only_by_name() -> None:
    catalogue = images.load()
    assert all(not image.ours for image in pin.chosen(catalogue, [], again=True))
    assert [image.name for image in pin.chosen(catalogue, ["api"], again=False)] == ["api"]
    with pytest.raises(ConfigurationError, match="no image ghost"):
        pin.chosen(catalogue, ["ghost"], again=False)


def copy(tmp_path: Path) -> Path:
    for name in ("charts/images.yaml", "services/Dockerfile"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text((images.root() / name).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def test_a_digest_is_written_into_its_entry_and_the_base_s_into_the_dockerfile_too(tmp_path: Path) -> None:
    root = copy(tmp_path)
    before = (root / images.FILE).read_text(encoding="utf-8")
    pin.write(root, {"python": ONE, "kafka": TWO})
    after = images.load(root / images.FILE)
    assert (after.base.digest, after.named("kafka").digest) == (ONE, TWO)
    changed = [
        one
        for one, two in zip(before.splitlines(), (root / images.FILE).read_text().splitlines(), strict=True)
        if one != two
    ]
    assert len(changed) == 2
    assert f"\nARG BASE_IMAGE={after.base.reference}\n" in (root / "services/Dockerfile").read_text()
    pin.write(root, {"python": TWO})
    assert images.load(root / images.FILE).base.digest == TWO


def test_an_entry_without_a_line_for_it_is_named() -> None:
    with pytest.raises(ConfigurationError, match="entry kafka"):
        pin.pinned("images:\n  - name: kafka\n    tag: x\n  - name: b\n    digest: ''\n", {"kafka": ONE})


def test_digests_are_helm_values_by_repository() -> None:
    text = pin.values(images.load(), {"api": ONE})
    assert yaml.safe_load(text) == {"global": {"imageDigests": {"signalink/api": ONE}}}
