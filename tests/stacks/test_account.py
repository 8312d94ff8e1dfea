"""The account of a test run, seen on real runs of pytest: engines are counted, and silence is a failure."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = """
import pytest
from signalink_stacks.local.testing import (
    pytest_addoption, pytest_collection_modifyitems, pytest_configure, pytest_sessionfinish, pytest_terminal_summary)

@pytest.fixture
def valkey():
    return "no real one is needed to count"
"""
INI = "[pytest]\nmarkers = engine(name): needs it\naddopts = -p no:cacheprovider\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text(INI)
    return tmp_path


def run(project: Path, test: str, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a run of one module."""
    (project / "test_suite.py").write_text("import pytest\n" + test)
    command = [sys.executable, "-m", "pytest", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


USES = "def test_uses(valkey): pass\n"
SKIPS = "@pytest.mark.skip(reason='no moon')\ndef test_skips(valkey): pass\n"
MARKED = "@pytest.mark.engine('kafka')\n@pytest.mark.skip(reason='no jars')\ndef test_marked(): pass\n"


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_engines_are_counted_with_their_versions(project: Path, workers: list[str]) -> None:
    code, text = run(project, USES + "def test_other(): pass\n", *workers)
    assert code == 0, text
    assert "valkey 9.1.2: 1 tests" in text
    assert "kafka -: 0 tests" in text


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_a_suite_that_only_skipped_its_engine_fails_the_run(project: Path, workers: list[str]) -> None:
    code, text = run(project, MARKED + USES, *workers)
    assert code == 1, text
    assert "test_suite.py needs kafka and ran no test on it" in text
    assert "test_marked: Skipped: no jars" in text


def test_a_skip_beside_tests_that_ran_is_only_named(project: Path) -> None:
    code, text = run(project, SKIPS + USES)
    assert code == 0, text
    assert "skipped test_suite.py::test_skips: Skipped: no moon" in text


def test_what_was_deselected_is_not_demanded(project: Path) -> None:
    code, text = run(project, MARKED + USES, "-k", "uses")
    assert code == 0, text


def test_a_module_that_skips_itself_is_not_forgotten(project: Path) -> None:
    text = 'pytest.importorskip("no_such_module")\npytestmark = pytest.mark.engine("kafka")\n' + USES
    code, output = run(project, text)
    assert code != 0
    assert "test_suite.py needs kafka and ran no test on it" in output


def test_a_required_engine_that_nobody_used_fails_the_run(project: Path) -> None:
    code, text = run(project, USES, "--require-engines", "valkey,kafka")
    assert code == 1
    assert "kafka is required and no test used it" in text
    assert "valkey is required" not in text


def test_an_engine_that_does_not_exist_cannot_be_required(project: Path) -> None:
    code, text = run(project, USES, "--require-engines", "oracle")
    assert code == 4
    assert "oracle unknown; there are postgres, valkey, kafka" in text


def test_a_failing_test_is_still_a_failing_test(project: Path) -> None:
    code, text = run(project, "def test_uses(valkey): assert False\n")
    assert code == 1
    assert "valkey 9.1.2: 1 tests" in text
