"""The locks pin every direct dependency of every extra with hashes, name no address and cover what a part imports."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from house import locks
from house.sources import ROOT, Tree

Sample = Callable[[dict[str, str]], Tree]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = sorted(PROJECT["project"]["optional-dependencies"])
LOCKS = [ROOT / "requirements" / f"{extra}.txt" for extra in EXTRAS]
IMAGES = [("api", "signalink_api"), ("relay", "signalink_relay"), ("gateway", "signalink_gateway")]
IMAGES += [("operator", "signalink_operator"), ("local", "signalink_stacks"), ("local", "signalink_labs")]
HASH = "    --hash=sha256:" + "0" * 64


def test_every_extra_has_a_lock_and_every_lock_an_extra() -> None:
    assert sorted(path.stem for path in (ROOT / "requirements").glob("*.txt")) == EXTRAS


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_lock_pins_every_direct_dependency_with_a_hash_and_names_no_address(extra: str) -> None:
    wanted = locks.direct(PROJECT, extra)
    if extra in {"local", "dev", "image", "stacks"}:
        wanted += [Requirement(text) for text in PROJECT["dependency-groups"]["build"]]
    assert locks.unpinned(ROOT / "requirements" / f"{extra}.txt", wanted) == []


def test_all_locks_pin_the_same_versions() -> None:
    """But for the Pulumi program's, which is in an environment of its own because Pulumi holds others back."""
    assert locks.disagreements([path for path in LOCKS if path.stem != "stacks"]) == []


def test_the_build_backend_is_the_locked_one() -> None:
    assert set(PROJECT["build-system"]["requires"]) <= set(PROJECT["dependency-groups"]["build"])


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (f"b==1.0 \\\n{HASH}\n", "a is not pinned"),
        (f"a==0.5 \\\n{HASH}\n", "outside >=1"),
        ("a==1.5\n", "a has no hash"),
        ("--index-url " + "https" + f"://example.invalid/simple\na==1.5 \\\n{HASH}\n", "names an address"),
    ],
)
def test_a_bad_lock_is_found(text: str, finding: str, sample: Sample) -> None:
    lock = sample({"bad.txt": text}).root / "bad.txt"
    assert any(finding in item for item in locks.unpinned(lock, [Requirement("a>=1")]))


def test_two_versions_of_one_package_are_found(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(f"a==1.5 \\\n{HASH}\n")
    (tmp_path / "y.txt").write_text(f"a==1.6 \\\n{HASH}\n")
    assert locks.disagreements([tmp_path / "x.txt", tmp_path / "y.txt"]) == ["a: 1.5 in x.txt, 1.6 in y.txt"]


@pytest.mark.parametrize(("extra", "package"), IMAGES)
def test_a_part_imports_with_nothing_installed_but_its_lock(extra: str, package: str) -> None:
    assert locks.import_with_only(ROOT / "requirements" / f"{extra}.txt", package) == ""


def test_an_import_outside_the_lock_is_found() -> None:
    assert "is not in the lock" in locks.import_with_only(ROOT / "requirements" / "operator.txt", "signalink_stacks")
