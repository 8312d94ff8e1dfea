"""`python -m signalink_labs.history report` says the verdict in words, in JSON and in its exit code."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from signalink_labs.history.__main__ import main
from signalink_labs.history.proof.model import Files, Model, sources
from signalink_labs.history.proof.mutators import MUTATORS


def written(folder: Path, files: Files) -> list[str]:
    folder.mkdir(exist_ok=True)
    for source in sources(files):
        (folder / f"{source.name}.jsonl").write_bytes(b"".join(source.raw))
    return sorted(str(path) for path in folder.iterdir())


def test_a_clean_run_exits_0_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", *written(tmp_path, Model(3).files), "--stores", "postgres,kafka"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("no finding; clean")


def test_a_violated_run_exits_1_with_the_lines_that_prove_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mutator = MUTATORS[0]
    paths = written(tmp_path, mutator.apply(Model(3).files, 3))
    assert main(["report", *paths]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("V5 skipped: view ")
    assert lines[1].startswith("  hop: between gateway and view ")
    raw = {line for path in paths for line in Path(path).read_text().splitlines()}
    quoted = [line.strip() for line in lines if line.startswith("  {")]
    assert 2 <= len(quoted) <= 10
    assert set(quoted) <= raw


def test_an_inconclusive_run_exits_2_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", *written(tmp_path, Model(3).files), "--acknowledged", "100000"]) == 2
    assert "inconclusive: " in capsys.readouterr().out


def test_the_json_carries_verdict_hop_and_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = written(tmp_path, MUTATORS[2].apply(Model(3).files, 3))
    assert main(["report", *paths, "--json"]) == 1
    document = orjson.loads(capsys.readouterr().out)
    assert document["verdict"] == "violated"
    assert document["findings"][0]["verdict"] == "duplicate"
    assert len(document["findings"][0]["lines"]) == 2


@pytest.mark.parametrize("arguments", [["report"], ["judge"], ["report", "/no/such/file.jsonl"]])
def test_usage_errors_exit_64_never_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 64


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    paths = written(tmp_path, Model(3).files)
    command = [sys.executable, "-m", "signalink_labs.history", "report", *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
