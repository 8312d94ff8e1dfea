"""The `signalink` command: arguments, output and exit codes. What runs is tested where it lives."""

import json
import sys
from pathlib import Path

import pytest

from signalink_core.errors import ConfigurationError
from signalink_labs.cli import app, clusters, logs, output, up
from signalink_stacks.local.state import StateFolder

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    """The platform of these tests is an empty folder."""
    monkeypatch.setenv("SIGNALINK_STATE", str(tmp_path / "state"))
    return StateFolder(tmp_path / "state")


@pytest.mark.parametrize(
    "arguments",
    [["fly"], ["up", "--ports", "many"], ["up", "--gateways", "0"], ["down", "--sideways"], ["user", "promote"]],
)
def test_wrong_use_ends_with_64_and_says_where_help_is(arguments: list[str], capsys: Captured) -> None:
    assert app.run(arguments) == 64
    assert "Next: `signalink --help`" in capsys.readouterr().err


def test_help_lists_every_verb(capsys: Captured) -> None:
    assert app.run(["--help"]) == 0
    text = capsys.readouterr().out
    verbs = ("up", "down", "status", "doctor", "open", "logs", "trace", "migrate", "user", "log")
    assert [verb for verb in verbs if verb not in text] == []


def test_kind_writes_a_kubeconfig_that_is_not_there_yet_and_another_cluster_needs_one(tmp_path: Path) -> None:
    new = tmp_path / "new"
    assert clusters.credentials(new, clusters.TargetChoice.KIND) == str(new)
    assert clusters.credentials(None, clusters.TargetChoice.EXISTING) == ""
    for target, path in ((clusters.TargetChoice.EXISTING, new), (clusters.TargetChoice.KIND, tmp_path / "no/folder")):
        with pytest.raises(ConfigurationError, match="is not there"):
            clusters.credentials(path, target)
    new.write_text("")
    assert clusters.credentials(new, clusters.TargetChoice.EXISTING) == str(new)


@pytest.mark.parametrize("given", ["limits=1", "LIMITS", "=1", "A B=1"])
def test_a_setting_that_is_no_setting_is_refused(given: str, capsys: Captured) -> None:
    assert app.run(["up", "--set", given]) == 64
    assert "is not KEY=VALUE" in capsys.readouterr().err


def test_settings_are_taken_with_and_without_the_prefix() -> None:
    parsed = up.parse_settings(["LIMITS_SOCKETS_PER_IP=5", "SIGNALINK_WS_ORIGINS=http://a,http://b=c"])
    assert parsed == {"LIMITS_SOCKETS_PER_IP": "5", "WS_ORIGINS": "http://a,http://b=c"}
    with pytest.raises(ConfigurationError):
        up.parse_settings(["x"])


@pytest.mark.parametrize("wrong", ["relay", "relay=0", "relay=21", "=3", "relay=x"])
def test_scale_names_a_service_and_a_number(wrong: str) -> None:
    assert up.parse_scale(["relay=3", "analytics=1"]) == {"relay": 3, "analytics": 1}
    with pytest.raises(ConfigurationError, match="SERVICE=N"):
        up.parse_scale([wrong])


def test_status_of_nothing_is_a_failure_with_the_next_command(capsys: Captured) -> None:
    assert app.run(["status"]) == 1
    assert "not running (down). Next: `signalink up`" in capsys.readouterr().out


def test_status_as_a_document_has_every_figure(capsys: Captured) -> None:
    assert app.run(["status", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["phase"] == "down"
    assert document["healthy"] is False
    assert {"seconds", "up_after", "total_pss", "engines", "urls", "processes", "events"} <= document.keys()


def test_down_of_nothing_is_no_error(capsys: Captured) -> None:
    assert app.run(["down", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ran"] is False


@pytest.mark.parametrize("verb", [["up", "--ports", "free"], ["status"], ["down"], ["log", "new-epoch"]])
def test_a_folder_of_another_version_ends_with_3_and_both_ways_out(
    verb: list[str], state_folder: StateFolder, capsys: Captured
) -> None:
    (state_folder.root / "postgres" / "data").mkdir(parents=True)
    (state_folder.root / "version").write_text("0\n")
    assert app.run(verb) == 3
    error = capsys.readouterr().err
    assert "of version 0; this program reads version 1" in error
    assert "Next: `signalink down --purge` deletes it" in error


def test_purge_deletes_a_folder_of_another_version(state_folder: StateFolder) -> None:
    state_folder.root.mkdir()
    (state_folder.root / "version").write_text("0\n")
    assert app.run(["down", "--purge"]) == 0
    assert not state_folder.root.exists()


def test_purge_never_deletes_what_may_be_somebody_s_folder(state_folder: StateFolder, capsys: Captured) -> None:
    state_folder.root.mkdir()
    (state_folder.root / "holiday.jpg").touch()
    assert app.run(["down", "--purge"]) == 3
    assert (state_folder.root / "holiday.jpg").exists()
    assert "nothing was deleted" in capsys.readouterr().err


def test_errors_come_as_a_document_too(state_folder: StateFolder, capsys: Captured) -> None:
    state_folder.root.mkdir()
    (state_folder.root / "version").write_text("0\n")
    assert app.run(["status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "environment_broken"


@pytest.mark.parametrize("verb", [["migrate"], ["user", "promote", "ada"], ["log", "new-epoch"]])
def test_database_work_without_a_platform_says_so(verb: list[str], capsys: Captured) -> None:
    assert app.run(verb) == 3
    assert "There is no platform in" in capsys.readouterr().err


def test_logs_show_the_end_of_one_log_by_its_service_name(state_folder: StateFolder, capsys: Captured) -> None:
    state_folder.open()
    (state_folder.logs / "api-0.log").write_text("one\ntwo\nthree\n")
    assert app.run(["logs", "api", "-n", "2"]) == 0
    assert capsys.readouterr().out == "two\nthree\n"
    assert app.run(["logs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"api-0": ["one", "two", "three"]}


def test_a_log_that_is_not_there_is_answered_with_those_that_are(state_folder: StateFolder, capsys: Captured) -> None:
    state_folder.open()
    (state_folder.logs / "kafka.log").touch()
    assert app.run(["logs", "piano"]) == 3
    assert "no log called piano; there are: kafka" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["-f"], ["api", "-f", "--json"], ["api", "-f", "--trace", "a" * 32]])
def test_following_is_for_one_log_as_text(arguments: list[str], capsys: Captured) -> None:
    assert app.run(["logs", *arguments]) == 64
    assert "--follow goes with one log" in capsys.readouterr().err


def test_following_goes_on_where_it_stopped_and_from_the_start_after_a_rotation(
    tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "api-0.log"
    path.write_text("old\n")
    with path.open("a") as file:
        file.write("new\n")
    assert logs.follow_once(path, 4) == 8
    path.write_text("x\n")
    assert logs.follow_once(path, 8) == 2
    assert capsys.readouterr().out == "new\nx\n"


@pytest.mark.parametrize(("seconds", "words"), [(5.9, "5 s"), (65, "1 min 5 s"), (7300, "2 h 1 min")])
def test_durations_are_words(seconds: float, words: str) -> None:
    assert output.duration(seconds) == words


def test_the_command_is_installed_beside_python() -> None:
    assert (Path(sys.executable).parent / "signalink").exists()


@pytest.mark.parametrize(
    ("called", "on_path", "typed"),
    [
        ("/else/.venv/bin/signalink", None, "../else/.venv/bin/signalink"),
        ("/here/.venv/bin/signalink", None, ".venv/bin/signalink"),
        ("/here/.venv/bin/signalink", "/usr/bin/signalink", "signalink"),
        ("/here/.venv/bin/pytest", None, "signalink"),
    ],
)
def test_the_next_command_can_be_typed_as_it_is_written(
    called: str, on_path: str | None, typed: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("sys.argv", [called])
    monkeypatch.setattr("shutil.which", lambda name: on_path)
    monkeypatch.setattr("os.getcwd", lambda: "/here")
    hint = "`signalink up`, `make up`, or elsewhere: SIGNALINK_STATE=FOLDER signalink up"
    output.text(f"Next: {hint}")
    output.failed([], "code", f"What. Fix: {hint}", hint, 1)
    told = capsys.readouterr()
    wanted = f"`{typed} up`, `make up`, or elsewhere: SIGNALINK_STATE=FOLDER {typed} up"
    assert told.out == f"Next: {wanted}\n"
    assert told.err == f"signalink: What. Fix: {wanted}\nNext: {wanted}\n"
