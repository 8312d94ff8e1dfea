"""Owns turning engines and services into recipes, and one-off jobs into commands. Leaves running them to `start`."""

import asyncio
import math
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from signalink_stacks.local import layout, logfiles, probes
from signalink_stacks.local.credentials import Credentials
from signalink_stacks.local.engines import Engine, KafkaEngine, Launch, PostgresEngine, ValkeyEngine
from signalink_stacks.local.engines.base import network_environment
from signalink_stacks.local.layout import Layout, ServiceProcess
from signalink_stacks.local.managed import HUNG_SECONDS, Recipe
from signalink_stacks.local.problems import EnvironmentBroken
from signalink_stacks.local.state import StateFolder

ENGINE_PATIENCE = 60.0
PATIENCE_FACTOR = 3.0
"""A manifest's `startup_seconds` is for an idle machine; a busy one gets three times that."""
SERVICE_STOP_SECONDS = 12.0
LIVE_SECONDS = 5.0
HUNG_KEY = "SUPERVISOR_HUNG_SECONDS"
LEAST_HUNG_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """A command that ends: exit 0 is done. `environment` as for a service."""

    name: str
    command: list[str]
    environment: dict[str, str]
    patience: float = 60.0

    def launch(self) -> Launch:
        return Launch(self.command, self.environment)


def engines(folder: StateFolder, ports: dict[str, int]) -> dict[str, Engine]:
    """Those that have a port."""
    root, secrets = folder.root, folder.secrets
    made: dict[str, Callable[[], Engine]] = {
        "postgres": lambda: PostgresEngine(root / "postgres", ports["postgres"], credentials=secrets),
        "valkey": lambda: ValkeyEngine(root / "valkey", ports["valkey"], credentials=secrets),
        "kafka": lambda: KafkaEngine(
            root / "kafka", ports["kafka"], credentials=secrets, controller_port=ports["kafka-controller"]
        ),
    }
    return {name: make() for name, make in made.items() if name in ports}


def hung_seconds(settings: Mapping[str, str]) -> float:
    """After how many seconds without any answer a child is restarted: SIGNALINK_SUPERVISOR_HUNG_SECONDS, else 30."""
    given = settings.get(HUNG_KEY, str(HUNG_SECONDS))
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not LEAST_HUNG_SECONDS <= seconds < math.inf:
        raise EnvironmentBroken(
            f"SIGNALINK_{HUNG_KEY}={given} is not a number of seconds from {LEAST_HUNG_SECONDS:g}.",
            next_step=f"for example `signalink up --set {HUNG_KEY}=30`",
        )
    return seconds


def engine(engine: Engine, logs: Path, hung_seconds: float = HUNG_SECONDS) -> Recipe:
    return Recipe(
        name=engine.name,
        launch=engine.launch,
        ready=_in_thread(engine.ready),
        prepare=engine.prepare,
        log=logfiles.path_of(logs, engine.name),
        patience=ENGINE_PATIENCE,
        port=engine.port,
        stop_signal=engine.stop_signal,
        stop_seconds=engine.stop_seconds,
        cleanup=engine.cleanup,
        alive=_in_thread(engine.alive),
        hung_seconds=hung_seconds,
    )


def _in_thread(ready: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return await asyncio.to_thread(ready)

    return ask


def service(process: ServiceProcess, logs: Path, hung_seconds: float = HUNG_SECONDS) -> Recipe:
    async def ready() -> bool:
        return await probes.http_ok(process.metrics_port, f"{process.manifest.health.ready}?all")

    async def alive() -> bool:
        return await probes.http_ok(process.metrics_port, process.manifest.health.live, LIVE_SECONDS)

    return Recipe(
        name=process.name,
        launch=lambda: Launch(process.command, process.environment),
        ready=ready,
        prepare=lambda: None,
        log=logfiles.path_of(logs, process.name),
        patience=process.manifest.health.startup_seconds * PATIENCE_FACTOR,
        port=process.metrics_port,
        stop_seconds=SERVICE_STOP_SECONDS,
        alive=alive,
        hung_seconds=hung_seconds,
    )


def _own(
    job: str, folder: StateFolder, *, name: str, patience: float = 60.0, environment: dict[str, str] | None = None
) -> Job:
    """A job of `signalink_stacks.local.jobs`: it reads the secrets itself."""
    command = [sys.executable, "-m", "signalink_stacks.local.jobs", job, str(folder.root)]
    return Job(name, command, environment or {}, patience)


def runtime(folder: StateFolder) -> Job:
    """Download Kafka's jars and train the JVM's cache; minutes on a slow line."""
    return _own("runtime", folder, name="kafka-runtime", patience=280.0, environment=network_environment())


def keys(folder: StateFolder) -> Job:
    return _own("keys", folder, name="signing-keys")


def roles(folder: StateFolder) -> Job:
    return _own("roles", folder, name="postgres-roles")


def access(folder: StateFolder, settings: dict[str, str]) -> Job:
    return _own("access", folder, name="kafka-access", environment=_prefixed(settings))


def topics(plan: Layout, secrets: Credentials, settings: dict[str, str]) -> Job:
    """Apply the Topic manifests through the operator's own code."""
    values = layout.bindings("operator", ["kafka"], plan.engine_ports, secrets) | settings
    command = [sys.executable, "-m", "signalink_operator", "apply"]
    return Job("topics", command, _prefixed(values))


def migrations(plan: Layout, secrets: Credentials) -> list[Job]:
    """One job per service that owns a schema."""
    environment = _prefixed(layout.bindings("owner", ["postgres"], plan.engine_ports, secrets))
    found: dict[str, Job] = {}
    for process in plan.services:
        database = process.manifest.database
        if database is not None:
            arguments = ["migrate", "--schema", database.schema_, "--migrations", database.migrations]
            command = [sys.executable, "-m", "signalink_core.database", *arguments]
            name = f"migrate-{process.manifest.name}"
            found[name] = Job(name, command, environment, 120.0)
    return list(found.values())


def _prefixed(values: dict[str, str]) -> dict[str, str]:
    return {f"SIGNALINK_{key}": value for key, value in values.items()}
