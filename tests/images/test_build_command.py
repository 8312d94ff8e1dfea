"""Building our images: what the engine is told, from the checkout alone."""

import subprocess
from pathlib import Path

import pytest

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.containers import build
from signalink_stacks.containers.build import Source
from signalink_stacks.lib import images

SOURCE = Source(Path("checkout"), "0123456789abcdef", 1_800_000_000, "0.1.0")


def words(**options: object) -> list[str]:
    catalogue = images.load()
    arguments = {"tag": "t", "environment": {}} | options
    return build.command(catalogue.named("relay"), catalogue, SOURCE, **arguments)  # type: ignore[arg-type]


def test_the_commit_its_time_and_the_base_are_told() -> None:
    found = words()
    assert found[:2] == ["docker", "build"]
    assert found[-1] == "checkout"
    assert found[found.index("--tag") + 1] == "signalink/relay:t"
    told = dict(word.split("=", 1) for word in found if "=" in word)
    assert told["SERVICE"] == "relay"
    assert told["REVISION"] == SOURCE.revision
    assert told["SOURCE_DATE_EPOCH"] == "1800000000"
    assert told["BASE_IMAGE"] == images.load().base.reference


def test_another_base_takes_the_digest_with_it() -> None:
    assert "BASE_IMAGE=python:mine" in words(base="python:mine")
    assert "BASE_DIGEST=" in words(base="python:mine")


def test_a_mirror_is_told_when_it_is_set_and_no_other_setting() -> None:
    found = words(environment={"PIP_INDEX_URL": "https://mirror.invalid/simple", "AWS_SECRET_ACCESS_KEY": "x"})
    assert "PIP_INDEX_URL=https://mirror.invalid/simple" in found
    assert not [word for word in found if "AWS" in word]


def test_ours_are_chosen_by_name_and_others_are_not_built() -> None:
    catalogue = images.load()
    assert build.chosen(catalogue, []) == catalogue.services()
    assert [image.name for image in build.chosen(catalogue, ["api"])] == ["api"]
    with pytest.raises(ConfigurationError, match="postgres is not built here"):
        build.chosen(catalogue, ["api", "postgres"])


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, timeout=20)


def test_a_tag_is_the_commit_and_says_when_the_tree_was_changed(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "9.9.9"\n')
    assert build.source(tmp_path).revision == "unknown"
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "One")
    clean = build.source(tmp_path)
    assert len(clean.revision) == 40
    assert (clean.tag, clean.version) == (clean.revision[:12], "9.9.9")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "9.9.8"\n')
    assert build.source(tmp_path).tag == f"{clean.tag}-changed"


def test_a_machine_without_docker_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    catalogue = images.load()
    with pytest.raises(DependencyUnavailable, match="docker is not on PATH"):
        build.run([catalogue.named("api")], catalogue, SOURCE, tag="t", say=lambda _: None)


def test_a_build_that_fails_shows_the_engine_s_last_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\necho step 3; echo no space left on device >&2; exit 1\n")
    (tmp_path / "docker").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    catalogue = images.load()
    with pytest.raises(DependencyUnavailable, match=r"(?s)image api could not be built.*no space left"):
        build.run([catalogue.named("api")], catalogue, SOURCE, tag="t", say=lambda _: None)


def test_an_image_signs_in_at_aws_where_it_is_asked_to_and_else_holds_nothing_for_it() -> None:
    assert "EXTRA=aws" in words(extra=build.extra_of("aws"))
    assert not [word for word in words(extra=build.extra_of("")) if word.startswith("EXTRA")]
    with pytest.raises(ConfigurationError, match="no extra 'dev'"):
        build.extra_of("dev")


@pytest.mark.parametrize("name", [image.name for image in images.load().services()])
def test_what_is_added_for_aws_is_of_the_same_versions_as_what_is_there(name: str) -> None:
    """Both locks go into one environment, whose list of contents would else depend on their order."""

    def pinned(lock: str) -> dict[str, str]:
        text = (images.root() / f"requirements/{lock}.txt").read_text(encoding="utf-8")
        lines = [line.split(";")[0].split("\\")[0].strip() for line in text.splitlines() if "==" in line]
        return dict(line.split("==", 1) for line in lines if not line.startswith("-"))

    own, extra = pinned(name), pinned("aws")
    assert {"botocore", "aws-msk-iam-sasl-signer-python"} <= extra.keys()
    assert {each: own[each] for each in own.keys() & extra.keys()} == {
        each: extra[each] for each in own.keys() & extra.keys()
    }


def test_what_the_registry_gets_signs_in_at_aws() -> None:
    assert "images build --extra aws " in (images.root() / "Makefile").read_text(encoding="utf-8")
