"""One machine runs what fits into its memory, says what does not, and ends by itself."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.errors import ConfigurationError
from signalink_stacks.lib import machine

BOOT = machine.Boot(
    parts=machine.parts(1),
    source="https://git.example/signalink.git",
    revision="v1",
    region="eu-central-1",
    domain="chat.example.org",
    zone="Z123456",
    email="ada@example.org",
    hours=12,
)


@pytest.mark.parametrize(
    ("instance", "gib"),
    [("t2.micro", 1), ("t3.micro", 1), ("t4g.micro", 1), ("t3.small", 2), ("t3a.medium", 4), ("t4g.large", 8),
     ("t3.xlarge", 16), ("t3.2xlarge", 32), ("t3.nano", 0.5)],
)  # fmt: skip
def test_memory_follows_from_the_name(instance: str, gib: float) -> None:
    assert machine.memory_gib(instance) == gib


@pytest.mark.parametrize("instance", ["m7i.large", "t3", "t3.huge", "micro", "t3.xxlarge"])
def test_memory_that_is_not_in_the_name_is_not_guessed(instance: str) -> None:
    with pytest.raises(ConfigurationError, match="not known here"):
        machine.memory_gib(instance)


@pytest.mark.parametrize(
    ("gib", "way", "runs"),
    [(1, "systemd", machine.SMALL), (2, "systemd", machine.SMALL), (4, "systemd", machine.EVERYTHING),
     (8, "k3s", machine.EVERYTHING), (32, "k3s", machine.EVERYTHING)],
)  # fmt: skip
def test_parts_by_memory(gib: float, way: str, runs: tuple[str, ...]) -> None:
    found = machine.parts(gib)
    assert (found.way, found.runs) == (way, runs)


@given(st.floats(min_value=1, max_value=512))
def test_every_part_either_runs_or_is_named_as_missing(gib: float) -> None:
    found = machine.parts(gib)
    assert sorted((*found.runs, *found.missing)) == sorted(machine.EVERYTHING)
    assert all(part in found.said() for part in found.missing)


def test_less_than_a_gibibyte_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"0\.5 GiB is too small"):
        machine.parts(0.5)


@pytest.mark.parametrize("gib", [1, 4, 8])
@pytest.mark.parametrize("domain", ["", "chat.example.org"])
def test_the_script_of_the_first_boot_is_shell(gib: float, domain: str, tmp_path: Path) -> None:
    script = tmp_path / "boot.sh"
    script.write_text(machine.user_data(replace(BOOT, parts=machine.parts(gib), domain=domain)), encoding="utf-8")
    subprocess.run(["bash", "-n", script], check=True)
    assert len(script.read_bytes()) < 16_384, "EC2 takes 16 KiB"
    if shellcheck := shutil.which("shellcheck"):
        subprocess.run([shellcheck, "--severity=warning", script], check=True)


def test_the_script_says_what_is_missing_and_ends_the_machine() -> None:
    text = machine.user_data(BOOT)
    assert "up --only api,gateway" in text
    assert "kafka, relay, analytics, notifications, prober do not: they need 4 GiB" in text
    assert "OnBootSec=12h" in text
    assert "--only" not in machine.user_data(replace(BOOT, parts=machine.parts(4)))
    assert "certbot" not in machine.user_data(replace(BOOT, domain=""))
