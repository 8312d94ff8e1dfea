"""L1: images are pushed, asked for by digest, and signed by that digest with their list of contents; nothing by tag."""

import json
import re
from pathlib import Path

import pytest

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_labs.cli import app
from signalink_stacks.containers.pin import Ask
from signalink_stacks.delivery import publish
from signalink_stacks.delivery.publish import Wish
from signalink_stacks.lib import images

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
API = images.load().named("api")
KAFKA = images.load().named("kafka")
THERE = "registry.example.org/team"


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


def wish(tmp_path: Path, *, signed: bool = True, final: bool = False) -> Wish:
    return Wish(THERE, "abc", tmp_path / "contents", signed=signed, final=final)


def answers(**known: str) -> Ask:
    """A registry that has these references (`_` for `/`, `:` and `-`), and after a second question everything."""
    asked: list[str] = []

    def ask(reference: str) -> str:
        asked.append(reference)
        name = re.sub(r"[/:-]", "_", reference.removeprefix(f"{THERE}/"))
        if name in known or asked.count(reference) > 1:
            return known.get(name, DIGEST)
        raise DependencyUnavailable("not found")

    return ask


def test_each_step_comes_in_its_order_and_signing_is_by_digest(called: Path, tmp_path: Path) -> None:
    found = publish.publish([API], wish(tmp_path), lambda reference: DIGEST, lambda _: None)
    assert found == {API.repository: DIGEST}
    there = f"{THERE}/{API.repository}"
    lines = called.read_text().splitlines()
    assert [" ".join(line.split()[:2]) for line in lines] == [
        "docker tag", "docker push", "docker create", "docker cp", "docker rm", "cosign sign", "cosign attest",
    ]  # fmt: skip
    assert lines[0].endswith(f" {API.repository}:abc {there}:build-abc")
    assert lines[1].endswith(f"{there}:build-abc")
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


def test_a_commit_that_is_there_is_not_pushed_again_and_what_is_signed_is_what_is_there(
    called: Path, tmp_path: Path
) -> None:
    """A tag of the registry never moves, and this build of the commit may differ from that one."""
    ask = answers(signalink_api_build_abc=OTHER)
    assert publish.publish([API], wish(tmp_path, final=True), ask, lambda _: None) == {API.repository: OTHER}
    there, lines = f"{THERE}/{API.repository}", called.read_text().splitlines()
    assert [" ".join(line.split()[:2]) for line in lines] == [
        "docker pull", "docker create", "docker cp", "docker rm", "cosign sign", "cosign attest",
    ]  # fmt: skip
    assert lines[1].endswith(f"{there}:build-abc")
    assert lines[4].endswith(f"{there}@{OTHER}")


def test_a_tag_that_can_mean_two_things_is_pushed_each_time(called: Path, tmp_path: Path) -> None:
    publish.publish([API], wish(tmp_path), lambda reference: DIGEST, lambda _: None)
    assert "docker push" in called.read_text()


def test_images_of_others_are_copied_where_the_charts_look_for_them(called: Path, tmp_path: Path) -> None:
    publish.publish([KAFKA], wish(tmp_path), answers(), lambda _: None)
    (line,) = called.read_text().splitlines()
    words = "docker buildx imagetools create --prefer-index=false --tag"
    assert line == f"{words} {THERE}/apache/kafka:{KAFKA.tag} apache/kafka:{KAFKA.tag}"


def test_a_pinned_image_is_copied_by_digest_under_a_tag_of_that_digest(called: Path, tmp_path: Path) -> None:
    pinned = KAFKA.model_copy(update={"digest": DIGEST})
    assert publish.publish([pinned], wish(tmp_path), answers(), lambda _: None) == {"apache/kafka": DIGEST}
    (line,) = called.read_text().splitlines()
    assert line.endswith(f" {THERE}/apache/kafka:{KAFKA.tag}-aaaaaaaaaaaa apache/kafka@{DIGEST}")


def test_a_copy_that_is_there_is_left_and_another_than_the_pinned_one_is_told(called: Path, tmp_path: Path) -> None:
    ask = lambda reference: OTHER  # noqa: E731 - a registry that has everything
    assert publish.publish([KAFKA], wish(tmp_path), ask, lambda _: None) == {"apache/kafka": OTHER}
    assert called.read_text() == ""
    with pytest.raises(DependencyUnavailable, match=f"is {OTHER}, and charts/images.yaml says {DIGEST}"):
        publish.publish([KAFKA.model_copy(update={"digest": DIGEST})], wish(tmp_path), ask, lambda _: None)


def test_an_image_that_cannot_be_had_is_told_with_where_it_should_go(called: Path, tmp_path: Path) -> None:
    docker = tmp_path / "bin/docker"
    docker.write_text('#!/bin/sh\necho "toomanyrequests: You have reached your pull rate limit" >&2; exit 1\n')
    with pytest.raises(DependencyUnavailable) as found:
        publish.publish([KAFKA], wish(tmp_path), answers(), lambda _: None)
    said = f"{found.value.detail} {found.value.next_step}"
    assert f"apache/kafka:{KAFKA.tag} was not copied into {THERE}" in said
    assert "toomanyrequests" in said and "docker login" in said


def test_all_that_a_pod_can_run_is_pushed_unless_less_is_named() -> None:
    catalogue = images.load()
    assert {each.name for each in publish.chosen(catalogue, [])} == {each.name for each in catalogue} - {"python"}
    assert publish.chosen(catalogue, [], ours=True) == catalogue.services()
    assert publish.chosen(catalogue, ["kafka"]) == (KAFKA,)
    for wrong, ours in (("python", False), ("kafka", True), ("nothing", False)):
        with pytest.raises(ConfigurationError, match=f"{wrong} is nothing to push"):
            publish.chosen(catalogue, [wrong], ours=ours)


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyUnavailable, match="docker is not on PATH"):
        publish.publish([API], wish(tmp_path), lambda reference: DIGEST, lambda _: None)


def test_the_command_writes_what_a_stack_takes(called: Path, tmp_path: Path) -> None:
    out = tmp_path / "dist/images.json"
    words = ["images", "push", "api", "--registry", "registry.example.org", "--tag", "abc", "--out", str(out), "--json"]
    assert app.run(words) == 0
    assert json.loads(out.read_text()) == {"registry": "registry.example.org", "digests": {API.repository: DIGEST}}
