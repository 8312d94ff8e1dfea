"""Asks programs for their versions: engines and Java, and the tools of the other targets. Each has five seconds."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from signalink_stacks.doctor.host import Program, Target
from signalink_stacks.local.engines import EngineFailed, PostgresEngine, ValkeyEngine, jars

SECONDS: Final = 5.0
TOOLS: Final[dict[str, Sequence[str]]] = {
    "docker": ("docker", "version", "--format", "{{.Server.Version}}"),
    "kind": ("kind", "version"),
    "helm": ("helm", "version", "--short"),
    "kubectl": ("kubectl", "version", "--client", "--output=json"),
    "pulumi": ("pulumi", "version"),
    "cluster": ("kubectl", "version", "--output=json", "--request-timeout=3s"),
    "aws": ("aws", "--version"),
}
NEEDED: Final[dict[Target, Sequence[str]]] = {
    "local": (),
    "kind": ("docker", "kind", "helm", "kubectl", "pulumi"),
    "existing": ("helm", "kubectl", "pulumi", "cluster"),
    "eks": ("helm", "kubectl", "pulumi", "aws"),
}


def of_target(target: Target) -> dict[str, Program]:
    """All at once: some of them take a second."""
    asks: dict[str, Callable[[], Program]] = {name: lambda name=name: tool(name) for name in NEEDED[target]}  # type: ignore[misc]
    if target == "local":
        asks = {
            "java": java,
            "postgres": lambda: engine(PostgresEngine.version),
            "valkey": lambda: engine(ValkeyEngine.version),
        }
    with ThreadPoolExecutor(len(asks)) as executor:
        running = {name: executor.submit(ask) for name, ask in asks.items()}
        return {name: future.result() for name, future in running.items()}


def engine(version: Callable[[], str]) -> Program:
    try:
        return Program(version())
    except (EngineFailed, OSError, subprocess.SubprocessError, StopIteration) as error:
        return Program(None, str(error).rstrip("."))


def java() -> Program:
    """The wheel's own; `-version` goes to standard error."""
    try:
        path = jars.java()
    except ImportError as error:
        return Program(None, str(error))
    return ask((str(path), "-version"))


def tool(name: str) -> Program:
    command = TOOLS[name]
    if shutil.which(command[0]) is None:
        return Program(None, f"{command[0]} is not on PATH")
    found = ask(command)
    if name == "kubectl" and found.version:
        return Program(kubernetes(found.version, "clientVersion"))
    if name == "cluster" and found.version:
        server = kubernetes(found.version, "serverVersion")
        return Program(server or None, "" if server else "kubectl reaches no server")
    return found


def kubernetes(document: str, part: str) -> str:
    """A version in kubectl's document; empty when it is not there."""
    try:
        return str(json.loads(document)[part]["gitVersion"])
    except (ValueError, KeyError, TypeError):
        return ""


def ask(command: Sequence[str], *, whole: bool = False) -> Program:
    """What the command prints (a JSON document `whole`, else its first line), or why it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Program(None, f"{Path(command[0]).name} did not answer within {SECONDS:g} s")
    except OSError as error:
        return Program(None, error.strerror or str(error))
    text = (done.stdout.strip() or done.stderr.strip()) if done.returncode == 0 else done.stderr.strip()
    if done.returncode:
        return Program(None, text.splitlines()[-1].rstrip(".") if text else f"exit {done.returncode}")
    return Program(text if whole or text.startswith("{") else text.splitlines()[0] if text else "unknown")


def wheels(python: Path) -> dict[str, str]:
    """Versions of Pulumi's packages beside this interpreter, from the names of their folders; none without it."""
    found = (python.parent.parent / "lib").glob("python3*/site-packages/pulumi*.dist-info")
    pairs = (path.name.removesuffix(".dist-info").rpartition("-") for path in found)
    return {name.replace("_", "-"): version for name, _, version in pairs}


def plugins() -> dict[str, tuple[str, ...]]:
    """Versions of each resource plugin that the engine says it has."""
    if shutil.which("pulumi") is None:
        return {}
    found = ask(("pulumi", "plugin", "ls", "--json"), whole=True)
    try:
        listed = json.loads(found.version or "[]")
        pairs = [(str(each["name"]), str(each["version"])) for each in listed if each["kind"] == "resource"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {name: tuple(sorted(version for other, version in pairs if other == name)) for name, _ in pairs}


def image_store() -> str | None:
    """Docker's word for how it stores images: a storage driver, with `containerd` in it for that store."""
    if shutil.which("docker") is None:
        return None
    found = ask(("docker", "info", "--format", "{{.Driver}} {{json .DriverStatus}}"))
    if found.version is None:
        return None
    driver = found.version.split()[0]
    return f"{driver} of containerd" if "io.containerd.snapshotter" in found.version else driver
