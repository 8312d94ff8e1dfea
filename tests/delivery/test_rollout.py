"""L1: a deployment stops at a refusal, keeps what keeps its promises, and goes back to the last good images otherwise.

`pulumi` is a program of this test that plays a history and fails where it is told to: no engine runs here.
"""

import asyncio
import functools
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml

from signalink_core.errors import DependencyUnavailable
from signalink_core.testing import eventually
from signalink_stacks.cloud.graph import Graph
from signalink_stacks.delivery import promises, rollout
from signalink_stacks.delivery.rollout import IMAGES, Engine, WentBack
from signalink_stacks.lib import told
from signalink_stacks.lib.images import root

OLD, NEW = {"digests": {"signalink/api": "sha256:old"}}, {"digests": {"signalink/api": "sha256:new"}}
FAKE = """#!/usr/bin/env python3
import json, pathlib, sys
here = pathlib.Path(__file__).parent
state = json.loads((here / "state").read_text())
words = [word for word in sys.argv[1:] if word not in ("--non-interactive", "--yes", "--skip-preview")]
words = words[: words.index("--stack")]
with (here / "called").open("a") as called:
    called.write(" ".join(words) + "\\n")
name = " ".join(words[:2]) if words[0] in ("config", "stack") else words[0]
if name == "config set":
    state["images"] = words[3]
elif name == "config rm":
    state["images"] = None
elif name == "config --json":
    print(json.dumps({"signalink:images": {"value": state["images"]}} if state["images"] else {}))
elif name == "stack history":
    print(json.dumps(state["history"]))
elif name == "stack output":
    print(json.dumps({"urls": {"api": "http://api"}}))
(here / "state").write_text(json.dumps(state))
fails = state["fails"].get(name, [])
if fails and (fails == "always" or state["images"] in fails):
    sys.exit("it broke")
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    (tmp_path / "pulumi").write_text(FAKE)
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    play(tmp_path)
    return Engine("eks", tmp_path)


def play(root: Path, *, images: Any = OLD, history: Any = None, **fails: Any) -> None:
    past = [
        {"kind": "update", "result": "failed", "config": {IMAGES: {"value": "broken"}}},
        {"kind": "refresh", "result": "succeeded", "config": {}},
        {"kind": "update", "result": "succeeded", "config": {IMAGES: {"value": json.dumps(OLD)}}},
        {"kind": "update", "result": "succeeded", "config": {IMAGES: {"value": "older"}}},
    ]
    state = {"images": json.dumps(images), "history": past if history is None else history, "fails": fails}
    (root / "state").write_text(json.dumps(state))


def called(engine: Engine) -> list[str]:
    changing = ("config set", "config rm", "preview", "up")
    return [line for line in (engine.root / "called").read_text().splitlines() if line.startswith(changing)]


def kept(outputs: Mapping[str, Any]) -> str:
    return "" if outputs["urls"] else "no address"


def deploy(engine: Engine, promise: rollout.Promise = kept) -> Mapping[str, Any]:
    return rollout.deploy(engine, NEW, promise, lambda _: None)


def set_to(images: Any) -> str:
    return f"config set {IMAGES} {json.dumps(images)}"


def test_a_good_deployment_previews_and_goes_up_once(engine: Engine) -> None:
    assert deploy(engine)["urls"] == {"api": "http://api"}
    assert called(engine) == [set_to(NEW), "preview", "up"]


def test_a_refused_preview_changes_nothing_and_gives_the_images_back(engine: Engine) -> None:
    play(engine.root, preview="always")
    with pytest.raises(DependencyUnavailable, match="it broke"):
        deploy(engine)
    assert called(engine) == [set_to(NEW), "preview", set_to(OLD)]


def test_a_failed_up_goes_back_to_the_images_of_the_last_good_update(engine: Engine) -> None:
    play(engine.root, up=[json.dumps(NEW)])
    with pytest.raises(WentBack, match="The last good images run again"):
        deploy(engine)
    assert called(engine) == [set_to(NEW), "preview", "up", set_to(OLD), "up"]


def test_a_broken_promise_goes_back_too(engine: Engine) -> None:
    with pytest.raises(WentBack, match="http://api answers 503"):
        deploy(engine, lambda outputs: "http://api answers 503.")
    assert called(engine)[-2:] == [set_to(OLD), "up"]


def test_an_update_that_made_the_registry_alone_is_no_good_one_to_go_back_to(engine: Engine) -> None:
    """It runs in a checkout whose file names no images, between the last good deployment and this one."""
    registry = {"kind": "update", "result": "succeeded", "config": {"signalink:owner": {"value": "ada"}}}
    past = [registry, {"kind": "update", "result": "succeeded", "config": {IMAGES: {"value": json.dumps(OLD)}}}]
    play(engine.root, history=past, up=[json.dumps(NEW)])
    with pytest.raises(WentBack, match="The last good images run again"):
        deploy(engine)
    assert called(engine)[-2:] == [set_to(OLD), "up"]


def test_without_an_earlier_good_one_it_says_so(engine: Engine) -> None:
    play(engine.root, images=None, history=[], up="always")
    with pytest.raises(WentBack, match="no earlier one to go back to"):
        deploy(engine)
    assert called(engine) == [set_to(NEW), "preview", "up"]


@pytest.mark.parametrize("why", ["up", "promise"])
def test_who_is_there_to_look_finds_it_as_it_failed(engine: Engine, why: str) -> None:
    """`signalink up` on a cluster: nothing is taken back, and the text says what to do."""
    if why == "up":
        play(engine.root, up="always")
    with pytest.raises(DependencyUnavailable, match="It is not as it should be") as failed:
        rollout.deploy(
            engine, NEW, lambda _: "api answers 503." if why == "promise" else "", lambda _: None, back=False
        )
    assert called(engine)[-1] == "up" and "kubectl get pods" in str(failed.value.next_step)


def test_of_a_long_output_the_refusals_and_errors_are_told() -> None:
    told = rollout.telling(
        "Previewing:\n + a\n\nPolicies:\n  P07 x runs y\n\nDiagnostics:\n    error: no\n\nOutputs:\n  urls: {}\n"
    )
    assert told.splitlines() == ["Policies:", "  P07 x runs y", "Diagnostics:", "    error: no"]
    assert rollout.telling("one\ntwo") == "one\ntwo"
    assert len(rollout.telling("\n".join(map(str, range(100)))).splitlines()) == rollout.LINES


def test_the_engine_is_told_what_its_project_says(engine: Engine) -> None:
    (engine.root / "pulumi").write_text('#!/bin/sh\necho "$PULUMI_BACKEND_URL in $(pwd)"\n')
    found = Engine("kind", engine.root, {"PULUMI_BACKEND_URL": "file:///x"})
    assert found("preview").strip() == f"file:///x in {engine.root}"


ASKED = "Next: write within 75 minutes, for the certificate, in your DNS: _a.chat.example. CNAME _b.acm."
PRINTS = f"""#!/bin/sh
[ "$1" = up ] || exit 0
echo "Updating (eks):"
echo " +  signalink:aws:Certificate certificate created (1s) {ASKED}"
while [ ! -e "$(dirname "$0")/written" ]; do /bin/sleep 0.05; done
echo "Diagnostics:"
echo "  signalink:aws:Certificate (certificate):"
echo "    {ASKED}"
"""


def test_what_somebody_must_do_is_said_while_the_engine_waits_for_it(engine: Engine) -> None:
    """The record that the certificate waits for was told when the hour of waiting was over."""
    (engine.root / "pulumi").write_text(PRINTS)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        (engine.root / "written").touch()

    printed = engine("up", say=say, patience=60)
    assert said == [ASKED]
    assert printed.count(ASKED) == 2


def test_an_engine_that_takes_too_long_is_interrupted_and_can_write_down_what_it_has(engine: Engine) -> None:
    script = '#!/bin/sh\ntrap \'touch "$(dirname "$0")/written"; exit 1\' INT\nwhile true; do /bin/sleep 0.05; done\n'
    (engine.root / "pulumi").write_text(script)
    with pytest.raises(DependencyUnavailable, match="pulumi up took longer than 5 s"):
        engine("up", patience=5)
    assert (engine.root / "written").exists()


INTERRUPTED = """#!/usr/bin/env python3
import os, pathlib, signal, sys
here = pathlib.Path(__file__).parent

def end(*_):
    with (here / "asked").open("a") as asked:
        asked.write("SIGINT\\n")
    if (here / "stays").exists():
        return
    print("x" * 300_000, flush=True)  # more than a pipe takes
    (here / "written").touch()
    sys.exit(1)

signal.signal(signal.SIGINT, end)
(here / "group").write_text(str(os.getpgrp()))
(here / "runs").touch()
while True:
    signal.pause()
"""
DEPLOYS = """
import sys
from pathlib import Path
from signalink_stacks.delivery.rollout import Engine
Engine("eks", Path(sys.argv[1]))("up")
"""


@pytest.fixture
def deploying(engine: Engine) -> Iterator["subprocess.Popen[str]"]:
    """A program of its own, in a process group of its own, as a shell starts one; its engine runs."""
    (engine.root / "pulumi").write_text(INTERRUPTED)
    command = [sys.executable, "-c", DEPLOYS, str(engine.root)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, process_group=0) as process:
        try:
            awaited(engine.root / "runs")
            yield process
        finally:
            process.kill()


def awaited(path: Path) -> None:
    asyncio.run(eventually(path.exists, within=60))


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_after_ctrl_c_an_engine_can_write_down_what_it_has_and_is_asked_once(
    engine: Engine, deploying: "subprocess.Popen[str]", ends: signal.Signals
) -> None:
    """A terminal signals its whole foreground group, and a second signal makes an engine forget what it is at."""
    assert int((engine.root / "group").read_text()) != deploying.pid
    os.killpg(deploying.pid, ends)
    _, errors = deploying.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors and deploying.returncode != 0
    assert (engine.root / "written").exists()
    assert (engine.root / "asked").read_text() == "SIGINT\n"


def test_signals_that_somebody_handles_or_ignores_are_left_to_them() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with rollout.heard():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_ctrl_c_leaves_no_engine_that_does_not_end(engine: Engine, deploying: "subprocess.Popen[str]") -> None:
    (engine.root / "stays").touch()
    os.killpg(deploying.pid, signal.SIGINT)
    awaited(engine.root / "asked")
    os.killpg(deploying.pid, signal.SIGINT)
    _, errors = deploying.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors and not (engine.root / "written").exists()


def test_patience_is_longer_than_a_certificate_takes_and_a_workflow_longer_still() -> None:
    release = yaml.safe_load((root() / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    assert rollout.PATIENCE >= told.CERTIFICATE_MINUTES * 60 + 3600
    assert release["jobs"]["deploy"]["timeout-minutes"] * 60 > rollout.PATIENCE


@pytest.mark.parametrize("line", ["", "Duration: 1s", "  urls: {Next: 1}", "xNext: y"])
def test_other_lines_ask_for_nothing(line: str) -> None:
    assert told.found(line) == ""


def test_going_back_can_fail_and_is_told(engine: Engine) -> None:
    play(engine.root, up="always")
    with pytest.raises(WentBack, match="Going back failed too: pulumi up failed"):
        deploy(engine)


def test_the_policy_pack_is_asked_where_it_is_there(engine: Engine) -> None:
    (engine.root / rollout.POLICIES).mkdir(parents=True)
    (engine.root / "pulumi").write_text('#!/bin/sh\necho "$*" >> "$(dirname "$0")/called"\n')
    engine.checked("up", "--yes")
    assert "up --yes --policy-pack stacks/policy --stack eks" in (engine.root / "called").read_text()


def test_without_pulumi_it_says_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyUnavailable, match="pulumi is not on PATH"):
        deploy(Engine("eks", tmp_path))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What GET gives, in turn; the last one stays."""
    given: list[Any] = []

    def get(url: str, *, timeout: float) -> httpx.Response:
        found = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(found, Exception):
            raise found
        return httpx.Response(found)

    monkeypatch.setattr("httpx.get", get)
    return given


def test_addresses_are_asked_until_they_answer(answers: list[Any]) -> None:
    answers += [503, httpx.ConnectError("refused"), 200]
    waited: list[float] = []
    promise = promises.answering(60, waited.append)
    assert promise({"urls": {"api": "https://chat.example.org", "socket": "wss://chat.example.org"}}) == ""
    assert len(waited) == 2


def test_an_address_that_never_answers_is_named(answers: list[Any]) -> None:
    answers += [503]
    assert promises.answering(0, lambda _: None)({"urls": {"api": "http://api"}}) == "http://api answers 503."


LITE = {"urls": {"api": "https://chat.example.org", "gateway": "wss://chat.example.org/v1/socket"}}


def test_a_machine_that_lets_nobody_in_from_here_is_told_and_does_not_fail(answers: list[Any]) -> None:
    """A runner outside of aws.endpointCidrs waited for 25 minutes and took a good deployment back."""
    answers += [httpx.ConnectTimeout("dropped")]
    said: list[str] = []
    assert promises.answering(60, lambda _: None, said.append, shut=0)(LITE) == ""
    assert len(said) == 1 and "nobody looked at chat.example.org" in said[0] and "SIGNALINK_RUNNER" in said[0]


def test_a_machine_that_refused_a_connection_once_lets_us_in_and_is_waited_for(answers: list[Any]) -> None:
    answers += [httpx.ConnectTimeout("dropped"), httpx.ConnectError("refused"), httpx.ConnectTimeout("dropped")]
    clock = iter([0.0, 1.0, 9.0, 60.0])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(promises, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        said = promises.answering(60, lambda _: None, shut=5)(LITE)
    assert said == "https://chat.example.org does not answer (ConnectTimeout)."


def test_only_one_machine_has_a_door_that_its_deployment_may_be_outside_of(
    answers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers += [httpx.ConnectTimeout("dropped")]
    clock = itertools.count(step=100.0)
    monkeypatch.setattr(promises, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None))
    monkeypatch.setattr(promises, "answering", functools.partial(promises.answering, wait=lambda _: None))
    told: list[str] = []
    found = {each: promises.of(Graph(each, each, "lite", ()), told.append)(LITE) for each in ("aws-lite", "eks")}
    assert found == {"aws-lite": "", "eks": "https://chat.example.org does not answer (ConnectTimeout)."}
    assert len(told) == 1


def test_outputs_that_say_nothing_of_addresses_keep_no_promise() -> None:
    assert "no addresses" in promises.answering(0)({})


def test_a_stack_that_nobody_reaches_is_not_asked_and_that_is_said(answers: list[Any]) -> None:
    """Else every deployment of aws-lite and of eks without a domain ended as failed, and went back."""
    said: list[str] = []
    assert promises.answering(0, say=said.append)({"urls": {}}) == ""
    assert len(said) == 1 and "nobody reaches the stack from outside" in said[0]


def test_a_name_whose_records_are_still_to_be_written_is_told_and_not_waited_for(answers: list[Any]) -> None:
    answers += [503]
    said: list[str] = []
    urls = {"api": "https://chat.example.invalid", "analytics": "https://chat.example.invalid"}
    records = ["chat.example.invalid CNAME internal-0.elb.amazonaws.com"]
    assert promises.answering(0, say=said.append)({"urls": urls, "records": records}) == ""
    assert said == [
        "promises: chat.example.invalid is not asked, it has no DNS record yet."
        " Next: write those of the output `records`"
    ]
    assert "answers 503" in promises.answering(0)({"urls": urls, "records": []})
    known = {"urls": {"api": "http://localhost"}, "records": records}
    assert promises.answering(0)(known) == "http://localhost answers 503."
