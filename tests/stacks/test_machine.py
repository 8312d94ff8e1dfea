"""One machine runs what fits into its memory, says what does not, and ends by itself."""

import base64
import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.errors import ConfigurationError
from signalink_stacks.lib import boot, cidrs, machine
from signalink_stacks.lib.settings import Aws

BOOT = boot.Boot(
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


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("t3.medium", "amd64"), ("t4g.medium", "arm64"), ("m7gd.large", "arm64"), ("c7gn.xlarge", "arm64"),
     ("im4gn.large", "arm64"), ("a1.large", "arm64"), ("g4dn.xlarge", "amd64"), ("g5g.xlarge", "arm64"),
     ("m7i-flex.large", "amd64"), ("t3a.large", "amd64"), ("x2iedn.large", "amd64")],
)  # fmt: skip
def test_the_architecture_follows_from_the_family(kind: str, expected: str) -> None:
    assert machine.architecture(kind) == expected


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
    script.write_text(boot.script(replace(BOOT, parts=machine.parts(gib), domain=domain)), encoding="utf-8")
    subprocess.run(["bash", "-n", script], check=True)
    assert len(script.read_bytes()) < 16_384, "EC2 takes 16 KiB"
    if shellcheck := shutil.which("shellcheck"):
        subprocess.run([shellcheck, "--severity=warning", script], check=True)


def test_the_script_says_what_is_missing_and_ends_the_machine() -> None:
    text = boot.script(BOOT)
    assert "up --only api,gateway" in text
    assert "kafka, relay, analytics, notifications, prober do not: they need 4 GiB" in text
    assert "OnBootSec=12h" in text
    assert "up --only all " in boot.script(replace(BOOT, parts=machine.parts(4)))
    assert "certbot" not in boot.script(replace(BOOT, domain=""))


def test_pods_come_from_the_registry_by_digest_and_its_password_is_renewed() -> None:
    host = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    pods = replace(
        BOOT, parts=machine.parts(8), registry=f"{host}/signalink", values={"imageRegistry": f"{host}/signalink"}
    )
    text = boot.script(pods)
    values = json.loads(text.partition("<<'VALUES'\n")[2].partition("\nVALUES\n")[0])
    assert values["global"] == {"imageRegistry": f"{host}/signalink", "imagePullSecrets": [boot.PULL_SECRET]}
    assert "OnUnitActiveSec=6h" in text
    assert "up --target existing --by helm" in text
    assert "--values /etc/signalink-values.json" in text
    elsewhere = boot.script(replace(pods, registry="registry.example/signalink"))
    assert "get-login-password" not in elsewhere
    assert "imagePullSecrets" not in elsewhere


def test_pods_have_addresses_that_neither_the_machine_nor_a_service_has() -> None:
    words = shlex.split(boot.script(replace(BOOT, parts=machine.parts(8))).partition("INSTALL_K3S_EXEC=")[2])[0].split()
    said = dict(pairwise(words))
    pods, services = IPv4Network(said["--cluster-cidr"]), IPv4Network(said["--service-cidr"])
    usual = IPv4Network(Aws(region="eu-central-1").cidr)
    assert not any(one.overlaps(other) for one, other in combinations((pods, services, usual), 2))
    assert IPv4Address(said["--cluster-dns"]) in services
    assert (cidrs.taken(str(pods)), cidrs.taken(str(services)), cidrs.taken(str(usual))) == (
        str(pods), str(services), "",
    )  # fmt: skip


def test_nginx_knows_the_services_that_run_and_no_other() -> None:
    assert "analytics" not in boot.site(BOOT)
    everything = boot.site(replace(BOOT, parts=machine.parts(4)))
    assert "127.0.0.1:8003" in everything and "127.0.0.1:8004" in everything
    assert "ANALYTICS_URL=https://chat.example.org" in boot.script(replace(BOOT, parts=machine.parts(4)))


def test_the_embedded_program_for_the_registry_is_python(tmp_path: Path) -> None:
    text = boot.script(replace(BOOT, parts=machine.parts(8), registry="1.dkr.ecr.us-east-1.amazonaws.com"))
    program = text.partition("python3 -c '\n")[2].partition("' | kubectl apply")[0]
    done = subprocess.run([sys.executable, "-c", program], input="word\n", capture_output=True, text=True, check=True)
    secret = json.loads(done.stdout)
    kept = json.loads(secret["stringData"][".dockerconfigjson"])["auths"]["1.dkr.ecr.us-east-1.amazonaws.com"]["auth"]
    assert base64.b64decode(kept) == b"AWS:word"
    assert secret["metadata"] == {"name": boot.PULL_SECRET, "namespace": boot.NAMESPACE}
