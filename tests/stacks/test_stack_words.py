"""The secrets of a stack are made once, by name, and go to the engine by standard input: on no command line, no file.

`pulumi` is a program of this test that keeps a configuration as the real one does; no engine runs here.
"""

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.clusters import words
from signalink_stacks.lib import config
from signalink_stacks.lib import words as wanted
from signalink_stacks.lib.images import root

RAW: dict[str, Any] = {"target": "existing", "profile": "small", "cluster": {"context": "lab"}}
FAKE = """#!/usr/bin/env python3
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "called").open("a") as called:
    called.write(json.dumps([sys.argv[1:], str(pathlib.Path.cwd())]) + "\\n")
if (here / "fails").exists():
    sys.exit((here / "fails").read_text())
path = here / "config.json"
known = json.loads(path.read_text())
if "set" in sys.argv:
    known["signalink:secrets"] = {"objectValue": json.loads(sys.stdin.read()), "secret": "--secret" in sys.argv}
    path.write_text(json.dumps(known))
elif "history" in sys.argv:
    print((here / "history.json").read_text() if (here / "history.json").exists() else "[]")
else:
    print(json.dumps(known))
"""
Put = Callable[..., None]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Write what the stack says; `secrets` as they are kept."""
    program = tmp_path / "bin/pulumi"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    def written(raw: dict[str, Any] = RAW, secrets: dict[str, str] | None = None, *, encrypted: bool = True) -> None:
        entries: dict[str, Any] = {
            f"signalink:{key}": {"value": json.dumps(value) if isinstance(value, dict) else value}
            for key, value in raw.items()
        }
        if secrets is not None:
            entries["signalink:secrets"] = {"objectValue": secrets, "secret": encrypted}
        (program.parent / "config.json").write_text(json.dumps(entries))

    written()
    return written


def called(folder: Path) -> list[tuple[list[str], str]]:
    lines = (folder / "bin/called").read_text().splitlines()
    return [(command, place) for command, place in map(json.loads, lines)]


def kept(folder: Path) -> dict[str, str]:
    entry = json.loads((folder / "bin/config.json").read_text())["signalink:secrets"]
    assert entry["secret"], "kept in clear"
    return dict(entry["objectValue"])


def test_what_a_stack_lacks_is_made_and_kept_encrypted(tmp_path: Path, put: Put) -> None:
    settings, _ = config.read("existing", RAW)
    names = words.complete("existing", root(), tmp_path).made
    assert names == wanted.missing(settings, root()) and wanted.KEYS in names
    found = kept(tmp_path)
    plain = {name: value for name, value in found.items() if not name.startswith(f"{wanted.KEYS}/")}
    assert set(plain) == set(names) - {wanted.KEYS}
    assert len(set(plain.values())) == len(plain) and min(map(len, plain.values())) >= 43
    [(key, pem)] = [(name, value) for name, value in found.items() if name not in plain]
    assert key.endswith(".pem") and load_pem_private_key(pem.encode(), None) is not None


def test_no_value_stands_on_a_command_line_and_the_engine_runs_where_the_project_is(tmp_path: Path, put: Put) -> None:
    words.complete("existing", root(), tmp_path)
    calls = called(tmp_path)
    spoken = json.dumps([command for command, _ in calls])
    assert not [name for name, value in kept(tmp_path).items() if value in spoken]
    assert {place for _, place in calls} == {str(tmp_path)}
    assert all("--non-interactive" in command and command[-1] != "" for command, _ in calls)
    assert calls[-1][0][-5:] == ["set", "-s", "existing", "--secret", "signalink:secrets"]


def test_a_second_call_makes_nothing_and_writes_nothing(tmp_path: Path, put: Put) -> None:
    words.complete("existing", root(), tmp_path)
    before = kept(tmp_path)
    assert words.complete("existing", root(), tmp_path) == words.Completed()
    assert kept(tmp_path) == before and "set" not in called(tmp_path)[-1][0]


def test_what_is_there_stays_when_more_is_wanted(tmp_path: Path, put: Put) -> None:
    words.complete("existing", root(), tmp_path)
    before = kept(tmp_path)
    gone = next(name for name in sorted(before) if name.startswith("postgres"))
    put(RAW, {name: value for name, value in before.items() if name != gone})
    assert words.complete("existing", root(), tmp_path) == words.Completed([gone], [])
    after = kept(tmp_path)
    assert after[gone] != before[gone]
    assert {name: value for name, value in after.items() if name != gone} == {
        name: value for name, value in before.items() if name != gone
    }


def deployed(folder: Path, *updates: tuple[str, str | None]) -> None:
    """What the engine tells of earlier updates, the newest first: kind and the secrets it was told."""
    told = [
        {"kind": kind, "result": "succeeded", "config": {"signalink:secrets": {"value": text}} if text else {}}
        for kind, text in updates
    ]
    (folder / "bin/history.json").write_text(json.dumps(told))


@pytest.mark.parametrize("left", [0, 3])
def test_what_a_file_lacks_is_taken_from_the_last_deployment(tmp_path: Path, put: Put, left: int) -> None:
    words.complete("existing", root(), tmp_path)
    before = kept(tmp_path)
    gone = next(name for name in sorted(before) if name.startswith("postgres"))
    old = {name: value for name, value in before.items() if name != gone} | {"of-an-older-version": "x"}
    deployed(
        tmp_path, ("refresh", None), ("update", json.dumps(old)), ("update", json.dumps(dict.fromkeys(before, "x")))
    )
    put(RAW, dict([*old.items()][:left]) or None)
    found = words.complete("existing", root(), tmp_path)
    assert found.made == [gone]
    assert found.told == [f"took {len(before) - 1 - left} secrets of the last deployment", "made 1 secrets"]
    after = kept(tmp_path)
    assert after.pop(gone) != before.pop(gone)
    assert after == before


def test_secrets_of_the_last_deployment_that_cannot_be_read_are_not_replaced(tmp_path: Path, put: Put) -> None:
    deployed(tmp_path, ("update", "ERROR_UNABLE_TO_DECRYPT"))
    with pytest.raises(ConfigurationError, match="new ones would lock out what runs") as refused:
        words.complete("existing", root(), tmp_path)
    assert "pulumi config refresh --stack existing" in str(refused.value.next_step)
    assert not [command for command, _ in called(tmp_path) if "set" in command]


@pytest.mark.parametrize("case", ["an empty table", "a destroyed stack"])
def test_new_ones_are_made_when_they_are_asked_for_or_nothing_runs(tmp_path: Path, put: Put, case: str) -> None:
    words.complete("existing", root(), tmp_path)
    before = kept(tmp_path)
    destroyed = [("destroy", json.dumps(before))] if case == "a destroyed stack" else []
    deployed(tmp_path, *destroyed, ("update", json.dumps(before)))
    put(RAW, {} if case == "an empty table" else None)
    assert words.complete("existing", root(), tmp_path).taken == []
    assert not set(kept(tmp_path).values()) & set(before.values())


def test_secrets_in_clear_are_refused_without_showing_one(tmp_path: Path, put: Put) -> None:
    put(RAW, {"postgres-api": "seen-by-all"}, encrypted=False)
    with pytest.raises(ConfigurationError, match="secrets: found values in clear") as refused:
        words.complete("existing", root(), tmp_path)
    assert "seen-by-all" not in str(refused.value)


def test_a_wrong_configuration_is_refused_before_a_secret_is_made(tmp_path: Path, put: Put) -> None:
    put({"target": "existing", "profil": "small"})
    with pytest.raises(ConfigurationError, match="did you mean profile"):
        words.complete("existing", root(), tmp_path)
    assert len(called(tmp_path)) == 1


def test_a_failing_engine_is_told_with_its_last_line_and_no_value(tmp_path: Path, put: Put) -> None:
    (tmp_path / "bin/fails").write_text("error: no stack named 'existing' found")
    with pytest.raises(ConfigurationError, match="no stack named 'existing' found") as refused:
        words.complete("existing", root(), tmp_path)
    assert refused.value.next_step


def test_without_an_engine_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyUnavailable, match="pulumi is not on PATH"):
        words.complete("existing", root(), tmp_path)


def test_an_engine_that_hangs_is_given_up(tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin/pulumi").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(words, "PATIENCE", 0.2)
    with pytest.raises(DependencyUnavailable, match="took longer than 0 s"):
        words.complete("existing", root(), tmp_path)


def test_the_program_says_how_many_were_made(tmp_path: Path, put: Put, capsys: pytest.CaptureFixture[str]) -> None:
    assert words.main(["existing", "--folder", str(tmp_path)]) == 0
    assert re.fullmatch(r"made \d\d secrets\n", capsys.readouterr().out)
    assert words.main(["existing", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "all secrets are there\n"
    put({"target": "nowhere"})
    assert words.main(["existing", "--folder", str(tmp_path)]) == 1
    assert "target: found 'nowhere'" in capsys.readouterr().err
