"""The commands: every make target has its help line, and CI runs `make check`, which a developer can run too."""

import re
import shutil
import subprocess
from pathlib import Path

from house.sources import ROOT, without_make

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CI = (ROOT / ".ci/run").read_text(encoding="utf-8")
WANTED = {"help", "setup", "up", "down", "test", "check", "e2e", "bench", "lock", "docs", "clean"}


def recipe(target: str) -> str:
    match = re.search(rf"^{target}:.*\n((?:\t.*\n?)+)", MAKEFILE, re.MULTILINE)
    return match[1] if match else ""


def run(*command: str, folder: Path = ROOT, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command; `path` makes one folder the whole PATH and leaves nothing else in the environment."""
    environment = without_make() if path is None else {"PATH": str(path)}
    environment |= {"SIGNALINK_RIG": str(folder / "nowhere")}
    program = shutil.which(command[0]) or command[0]
    return subprocess.run(
        [program, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def make(*arguments: str, folder: Path = ROOT, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    return run("make", *arguments, folder=folder, path=path)


def tools(folder: Path, *names: str) -> Path:
    """A folder with only these programs of this machine."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name) or f"no {name} here")
    return folder


def test_every_command_people_use_has_a_help_line() -> None:
    shown = set(re.findall(r"^  make ([a-z0-9]+)", make("help").stdout, re.MULTILINE))
    assert shown >= WANTED
    assert make().stdout == make("help").stdout


def test_check_lints_types_tests_and_runs_every_long_proof_at_small_size() -> None:
    shown = make("check", "--dry-run", "VENV=nowhere").stdout
    for part in ("ruff check", "ruff format --check", "mypy", "lint-imports", "pytest"):
        assert part in shown
    for main in sorted(ROOT.glob("tests/e2e/*/main.py")):
        name = main.parent.name
        assert re.search(rf"^PROOFS +:= .*\b{name}\b", MAKEFILE, re.MULTILINE), f"{name} is in no proof list"
    assert "SIZE=small" in recipe("proofs")
    assert "$(MAKE) --no-print-directory test" in recipe("check")


def test_ci_runs_check_and_fails_when_it_fails() -> None:
    assert len(re.findall(r"\bmake \w+", re.sub(r"^ *(?:#|echo|command).*$", "", CI, flags=re.MULTILINE))) == 1
    assert "set -euo pipefail" in CI
    assert 'exit "$verdict"' in CI.splitlines()[-1]


def test_workflows_call_make_alone_and_pin_their_actions_by_commit() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", MAKEFILE, re.MULTILINE))
    for workflow in (ROOT / ".github/workflows").glob("*.yml"):
        text = workflow.read_text(encoding="utf-8")
        commands = re.findall(r"^ *(?:- )?run: (.*)$", text, re.MULTILINE)
        assert commands, f"{workflow.name} runs nothing"
        assert {command.split()[0] for command in commands} == {"make"}
        assert {command.split()[1] for command in commands} <= targets
        assert all(re.search(r"@[0-9a-f]{40}( |$)", used) for used in re.findall(r"uses: (.*)$", text, re.MULTILINE))


def test_ci_carries_the_verdict_and_closes_with_the_counts(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci/run").write_text(CI)
    for lines, code, closing in [
        ("@echo '=== 3 passed, 1 skipped in 2.1s ==='", 0, "3 passed, 0 failed, 0 errors, 1 skipped"),
        ("@echo '=== 1 failed, 2 passed in 2.1s ==='; exit 1", 2, "2 passed, 1 failed, 0 errors, 0 skipped"),
        ("@echo nothing", 1, "0 passed, 0 failed, 0 errors, 0 skipped"),
    ]:
        (tmp_path / "Makefile").write_text(f"check:\n\t{lines}\n")
        ran = run("bash", ".ci/run", folder=tmp_path)
        assert (ran.returncode, ran.stdout.splitlines()[-1]) == (code, closing)


def test_ci_asks_apt_for_what_a_bare_machine_lacks_and_fails_when_it_stays_away(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci/run").write_text(CI)
    path = tools(tmp_path / "bin", "dirname", "mktemp", "rm", "grep", "sed", "tail", "tee", "timeout")
    for name, line in [("apt-get", f'echo "$*" >> {tmp_path}/asked'), ("id", "echo 0"), ("ldconfig", "true")]:
        (path / name).write_text(f"#!{shutil.which('bash')}\n{line}\n")
        (path / name).chmod(0o755)
    ran = run("bash", ".ci/run", folder=tmp_path, path=path)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0].startswith("update")
    assert {"make", "git", "util-linux", "curl", "zlib1g", "python3", "python3-venv"} <= set(asked[1].split())
    assert ran.returncode != 0


def test_without_a_python_make_says_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "requirements").mkdir()
    for name in ("pyproject.toml", "requirements/local.txt", "requirements/dev.txt"):
        (tmp_path / name).write_text("")
    ran = make("setup", folder=tmp_path, path=tools(tmp_path / "bin", "sh"))
    assert ran.returncode == 2
    assert "no Python from 3.11 to 3.14" in ran.stderr
    assert "Next: " in ran.stderr


def test_an_unknown_proof_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    ran = make("e2e", "NAME=nothing", "--old-file=.venv/.dev")
    assert ran.returncode == 2
    assert "Next: make e2e NAME=" in ran.stderr
