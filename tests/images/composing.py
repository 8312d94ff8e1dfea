"""Runs compose.yaml with nothing but `docker run`: for engines without the compose plugin, and to look inside.

Reads only what our file uses: build aside, every key of it is turned into an option. Ports for people are exchanged for
free ones, in addresses and in what is published, so that it can run beside a platform on the usual ones.
"""

import json
import re
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from signalink_core.testing import eventually
from signalink_stacks.lib import images
from signalink_stacks.local.ports import free_port
from signalink_stacks.local.testing.databases import run

SECONDS: Final = 120.0
OPTIONS: Final = {"image", "build", "depends_on", "restart", "logging"}
"""Keys that the order, or the run itself, takes care of."""


def docker(*words: str, check: bool = True, seconds: float = SECONDS) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=seconds, check=False)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(words[:3])} ...: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout.strip()


def unavailable() -> str:
    """Why there is no engine here; empty when there is one."""
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        return "docker is not on PATH"
    except subprocess.TimeoutExpired:
        return "the Docker Engine does not answer"
    return "" if done.returncode == 0 else "no Docker Engine answers"


@dataclass
class Composed:
    """`document` as in compose.yaml; `swap`: image in the file -> image to run. Containers are `<prefix>-<service>`."""

    document: Mapping[str, Any]
    swap: Mapping[str, str]
    prefix: str = field(default_factory=lambda: f"sl{uuid.uuid4().hex[:8]}")
    ports: dict[int, int] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        published = re.findall(r"127\.0\.0\.1:(\d+):", json.dumps(self.document))
        self.ports = {int(port): free_port() for port in published}

    @property
    def services(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document["services"]
        return found

    def name(self, service: str) -> str:
        return f"{self.prefix}-{service}"

    def url(self, port: int) -> str:
        return f"http://localhost:{self.ports[port]}"

    def up(self) -> None:
        """Everything in order; AssertionError with the log of what did not become ready."""
        docker("network", "create", self.prefix)
        for service in self.order():
            self.start(service)

    def order(self) -> list[str]:
        waits = {name: set(each.get("depends_on", {})) for name, each in self.services.items()}
        found: list[str] = []
        while len(found) < len(waits):
            found += [name for name in waits if name not in found and waits[name] <= set(found)]
        return found

    def start(self, service: str) -> None:
        container = self.services[service]
        words = ["run", "--detach", "--name", self.name(service), *self.options(service, container)]
        image = self.swap.get(container["image"], container["image"])
        entry = container.get("entrypoint", [])
        after = [*entry[1:], *container.get("command", [])]
        docker(*words, *(["--entrypoint", entry[0]] if entry else []), image, *after)
        self.started.append(service)
        if container["restart"] == "no":
            self._ended(service)
        else:
            self._healthy(service)

    def options(self, service: str, container: Mapping[str, Any]) -> list[str]:
        limits = container["deploy"]["resources"]["limits"]
        found = ["--user", container["user"], "--memory", limits["memory"], "--pids-limit", str(limits["pids"])]
        found += ["--read-only"] if container["read_only"] else []
        found += [word for each in container["cap_drop"] for word in ("--cap-drop", each)]
        found += [word for each in container.get("cap_add", []) for word in ("--cap-add", each)]
        found += [word for each in container["security_opt"] for word in ("--security-opt", each)]
        found += [word for each in container["tmpfs"] for word in ("--tmpfs", each)]
        found += [word for each in container.get("volumes", []) for word in ("--volume", self._volume(each))]
        found += [word for each in container.get("ports", []) for word in ("--publish", self._exchanged(each))]
        for key, value in container.get("environment", {}).items():
            found += ["--env", f"{key}={self._exchanged(value)}"]
        found += ["--stop-signal", container["stop_signal"]] if "stop_signal" in container else []
        found += ["--shm-size", container["shm_size"]] if "shm_size" in container else []
        network = container.get("network_mode")
        found += ["--network", network] if network else ["--network", self.prefix, "--network-alias", service]
        known = {"user", "deploy", "read_only", "cap_drop", "cap_add", "security_opt", "tmpfs", "volumes", "ports"}
        known |= {"environment", "stop_signal", "shm_size", "network_mode", "entrypoint", "command", "healthcheck"}
        unknown = set(container) - known - OPTIONS - {"stop_grace_period"}
        assert not unknown, f"{service}: {unknown} is in compose.yaml and not turned into options here"
        return [*found, *_health(container.get("healthcheck", {}))]

    def _volume(self, mount: Any) -> str:
        if isinstance(mount, str):
            return f"{self.prefix}-{mount}"
        return f"{self.prefix}-{mount['source']}:{mount['target']}:nocopy"

    def _exchanged(self, text: str) -> str:
        return re.sub(
            r"(localhost|127\.0\.0\.1):(\d+)",
            lambda match: f"{match[1]}:{self.ports.get(int(match[2]), int(match[2]))}",
            text,
        )

    def state(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("inspect", "--format", "{{json .State}}", self.name(service)))
        return found

    def logs(self, service: str) -> str:
        done = subprocess.run(
            ["docker", "logs", "--tail", "60", self.name(service)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout + done.stderr

    def _ended(self, service: str) -> None:
        code = docker("wait", self.name(service), seconds=SECONDS)
        assert code == "0", f"{service} ended with {code}:\n{self.logs(service)}"

    def _healthy(self, service: str) -> None:
        def settled() -> str:
            state = self.state(service)
            if state["Status"] != "running":
                return str(state["Status"])
            return "healthy" if state["Health"]["Status"] == "healthy" else ""

        found = run(eventually(settled, within=SECONDS, every=0.5))
        assert found == "healthy", f"{service} is {found}, not healthy:\n{self.logs(service)}"

    def stop(self, service: str, seconds: int = 30) -> int:
        """The exit code after SIGTERM (or the container's own signal)."""
        docker("stop", "--time", str(seconds), self.name(service))
        return int(self.state(service)["ExitCode"])

    def down(self) -> None:
        """Nothing stays: containers, their volumes, the network."""
        for service in reversed(self.started):
            docker("rm", "--force", "--volumes", self.name(service), check=False)
        for volume in docker("volume", "ls", "--quiet", "--filter", f"name={self.prefix}-", check=False).split():
            docker("volume", "rm", "--force", volume, check=False)
        docker("network", "rm", self.prefix, check=False)


def _health(check: Mapping[str, Any]) -> list[str]:
    if check.get("disable"):
        return ["--no-healthcheck"]
    if "test" not in check:
        return []
    kind, *words = check["test"]
    command = words[0] if kind == "CMD-SHELL" else " ".join(f"'{word}'" if " " in word else word for word in words)
    times = {"interval": "1s", "timeout": check["timeout"], "retries": "60", "start-period": check["start_period"]}
    return ["--health-cmd", command, *(word for key, value in times.items() for word in (f"--health-{key}", value))]


def load() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((images.root() / "compose.yaml").read_text(encoding="utf-8"))
    return document
