"""The README's commands run as they stand, in a copy of the tree and with a state folder of their own.

How ```console fences are read, run and compared is `consoles`'. Only the ports are exchanged for free ones. `make test`
and `make check` are left to CI, which calls them.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from consoles import Shell, commands, missing_line, opened

from house.sources import ROOT, Tree, without_make

README = (ROOT / "README.md").read_text(encoding="utf-8")
LEFT_TO_CI = {"make test", "make check"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What git tracks; `make up` gives it a .venv of its own, as on a fresh clone."""
    tree = Tree(ROOT)
    for path in tree.files:
        (tmp_path / tree.name(path)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / tree.name(path))
    return tmp_path


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Without the settings of whoever runs the tests; a short state folder, since sockets have short names."""
    with tempfile.TemporaryDirectory(prefix="sl-readme-") as state:
        kept = {key: value for key, value in without_make().items() if not key.startswith(("SIGNALINK_", "PYTEST_"))}
        yield {**kept, "SIGNALINK_STATE": state, "UP": "--ports free", "COLUMNS": "200"}


@pytest.mark.timeout(600)
@pytest.mark.engine("postgres", "valkey", "kafka")
async def test_every_command_works_in_order_and_prints_what_the_readme_says(
    copy: Path, environment: dict[str, str]
) -> None:
    async with opened(copy, environment) as shell:
        try:
            await every_command(shell)
        finally:
            await shell.run("make down")


async def every_command(shell: Shell) -> None:
    ports: dict[str, str] = {}
    for command, said in commands(README):
        code, printed = await shell.run(exchanged(command, ports))
        assert code == 0, f"$ {command}\n{printed}"
        if command == "make up":
            ports = taken_ports(printed)
            await shell.run(f"export SIGNALINK_API_URL=http://127.0.0.1:{ports['8000']}")
            await shell.run(f"export SIGNALINK_GATEWAY_URL=ws://127.0.0.1:{ports['8001']}/v1/socket")
        missing = missing_line(said, exchanged(printed, {taken: said for said, taken in ports.items()}))
        assert missing is None, f"$ {command}\nthe README also shows {missing!r}; printed was:\n{printed}"


def exchanged(text: str, ports: dict[str, str]) -> str:
    return re.sub(r"127\.0\.0\.1:(\d+)", lambda match: f"127.0.0.1:{ports.get(match[1], match[1])}", text)


def taken_ports(printed: str) -> dict[str, str]:
    """The README's ports to those `make up` printed."""
    found = {"8000": r"http://127\.0\.0\.1:(\d+)\s*$", "8001": r"ws://127\.0\.0\.1:(\d+)/"}
    matches = {port: re.search(pattern, printed, re.MULTILINE) for port, pattern in found.items()}
    assert all(matches.values()), printed
    return {port: match[1] for port, match in matches.items() if match}


def test_no_command_is_left_out_but_those_that_ci_runs() -> None:
    shown = [command for command, _ in commands(README)]
    assert len(shown) >= 8
    assert not LEFT_TO_CI & set(shown)
    assert all(f"`{command}`" in README for command in LEFT_TO_CI)
    checked = subprocess.run(["make", "check", "-n"], cwd=ROOT, capture_output=True, text=True, timeout=60).stdout
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "make check" in ci
    assert "pytest" in checked


def test_commands_outside_console_fences_are_known_to_make() -> None:
    """Inline commands name targets and proofs that exist."""
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z0-9]+)", README)) <= targets
    for name in re.findall(r"NAME=(\w+)", README):
        assert (ROOT / "tests/e2e" / name / "main.py").exists()


def test_a_line_that_was_not_printed_is_noticed() -> None:
    assert missing_line(["a ... c", "..."], "x\na  b c\n") is None
    assert missing_line(["a ... c"], "a b\n") == "a ... c"
    assert missing_line(["b", "a"], "a\nb\n") == "a"
