"""The probe on this very machine: what it says is so, and it leaves nothing behind."""

import json
import os
import resource
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from signalink_stacks.doctor import checkup, family, kernelfacts, probe, programs
from signalink_stacks.doctor.host import Leftover
from signalink_stacks.doctor.rule import Verdict
from signalink_stacks.local import ports
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.state import ProcessRecord, RunState, StateFolder

WAIT = "import time; time.sleep(60)"


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / "state")


def test_a_whole_host_is_gathered_and_nothing_is_made(folder: StateFolder, fake_service: Path) -> None:
    host = probe.gather("local", folder, Wishes(packages=("signalink_fake",)))
    assert host.python == sys.version_info[:2]
    assert host.memory_free > 0
    assert host.cpus > 0
    assert {port.name for port in host.ports} >= {"postgres", "kafka-controller", "prober-0 metrics"}
    assert host.programs["postgres"].version
    assert host.programs["java"].version
    assert host.manifest_problem is None
    assert not host.running
    assert host.state.problem == ""
    assert json.dumps(asdict(host), default=str)
    assert not folder.root.exists()
    assert list(folder.root.parent.glob(".signalink-trial*")) == []


def test_free_ports_leave_none_to_check(folder: StateFolder, fake_service: Path) -> None:
    host = probe.gather("local", folder, Wishes(packages=("signalink_fake",), free_ports=True))
    assert host.ports == ()


def test_a_taken_port_is_found_with_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        taken, free = probe.taken({"postgres": port, "valkey": ports.free_port()})
    assert f"(pid {os.getpid()})" in str(taken.holder)
    assert free.holder is None


def test_a_broken_manifest_is_told_with_its_file(fake_service: Path) -> None:
    fake_service.write_text(fake_service.read_text().replace("[ports]", "[port]"))
    known, problem = probe.manifests(Wishes(packages=("signalink_fake",)))
    assert known == []
    assert problem is not None
    assert "service.toml" in problem[0]


def test_a_folder_that_nobody_may_write_is_found_by_trying() -> None:
    assert probe.write_problem(Path("/proc/signalink"))
    assert probe.write_problem(Path("/dev/null/state")) == "/dev/null is not a folder"


def test_a_folder_above_that_is_closed_to_others_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "inner").mkdir()
    assert probe.hidden(closed / "inner") != ""


def test_rights_and_version_of_a_state_folder_are_seen(folder: StateFolder) -> None:
    folder.open()
    folder.root.chmod(0o755)
    assert (probe.state(folder, "same").mode, probe.state(folder, "same").version) == (0o755, "1")
    (folder.root / "version").write_text("0\n")
    assert probe.state(folder, "same").version == "0"


def test_a_child_of_a_dead_supervisor_is_a_leftover(folder: StateFolder) -> None:
    child = psutil.Popen([sys.executable, "-c", WAIT])
    try:
        record = ProcessRecord("kafka", "engine", pid=child.pid, created=psutil.Process(child.pid).create_time())
        folder.open().write(RunState(supervisor_pid=0, processes=[record]))
        found = family.of(folder)
        assert not found.running
        assert Leftover(child.pid, "kafka", ours=True) in found.leftovers
    finally:
        child.kill()
        child.wait()


def test_a_supervisor_without_its_folder_is_a_leftover_of_nobody(folder: StateFolder) -> None:
    command = [sys.executable, "-c", WAIT, family.SUPERVISOR, str(folder.root)]
    child = subprocess.Popen(command)
    try:
        lost = [each for each in family.of(folder).leftovers if each.pid == child.pid]
        assert [(each.name, each.ours) for each in lost] == [(f"a supervisor of {folder.root}", False)]
    finally:
        child.kill()
        child.wait()


def test_the_running_platform_s_own_supervisor_is_no_leftover(folder: StateFolder) -> None:
    own = psutil.Process()
    folder.open().write(RunState(supervisor_pid=own.pid, supervisor_created=own.create_time()))
    assert family.of(folder).running
    assert [each for each in family.of(folder).leftovers if each.ours] == []


def test_limits_of_this_process_are_what_the_kernel_says() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft in {kernelfacts.open_files(), resource.RLIM_INFINITY}
    low, high = kernelfacts.outgoing_ports() or (0, 0)
    assert 0 < low < high
    assert kernelfacts.settings()["vm.max_map_count"] > 0
    assert kernelfacts.file_system(Path("/proc/self")) == "proc"
    assert kernelfacts.clock_synchronised() in {True, False, None}


def test_edits_are_noticed_here_and_a_missing_folder_cannot_be_watched(tmp_path: Path) -> None:
    assert kernelfacts.watch_problem(tmp_path) == ""
    assert abs(kernelfacts.disk_offset(tmp_path)) < 5
    assert kernelfacts.disk_offset(tmp_path / "nowhere") == 0.0


def test_a_program_that_is_absent_silent_or_broken_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.tool("helm").problem == "helm is not on PATH"
    for name, script in {"helm": "echo v3.18.2+g1", "kind": "echo it is broken >&2; exit 3"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    assert programs.tool("helm").version == "v3.18.2+g1"
    assert programs.tool("kind").problem == "it is broken"
    assert programs.image_store() is None


def test_kubectl_s_document_is_read_for_client_and_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text('#!/bin/sh\necho \'{"clientVersion": {"gitVersion": "v1.33.1"}}\'\n')
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.tool("kubectl").version == "v1.33.1"
    assert programs.tool("cluster").problem == "kubectl reaches no server"


def test_the_checkup_of_a_target_takes_less_than_a_few_seconds(folder: StateFolder) -> None:
    began = time.monotonic()
    checked = checkup.examine_here("local", folder, Wishes(free_ports=True))
    assert time.monotonic() - began < 15
    assert len(checked) >= 15
    assert not [each for each in checked if each.name == "ports" and each.finding.verdict is not Verdict.OK]


def test_versions_of_the_wheels_come_from_the_folders_beside_the_interpreter(tmp_path: Path) -> None:
    packages = tmp_path / "lib/python3.13/site-packages"
    for name in ("pulumi-3.259.0", "pulumi_aws-7.51.1", "pulumi_policy-1.21.0", "other-1"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    found = programs.wheels(tmp_path / "bin/python")
    assert found == {"pulumi": "3.259.0", "pulumi-aws": "7.51.1", "pulumi-policy": "1.21.0"}
    assert programs.wheels(tmp_path / "none/bin/python") == {}


def test_plugins_are_listed_by_the_engine_with_all_their_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [{"name": "aws", "kind": "resource", "version": version} for version in ("7.51.1", "7.50.0")]
    answer = json.dumps([*listed, {"name": "python", "kind": "language", "version": "3.259.0"}], indent=2)
    (tmp_path / "pulumi").write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert programs.plugins() == {"aws": ("7.50.0", "7.51.1")}
    monkeypatch.setenv("PATH", "/nowhere")
    assert programs.plugins() == {}
