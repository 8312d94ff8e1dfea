"""Owns what will run: from manifests and wishes to a list of processes with ports and environments. Pure but for paths.

Services are known by their `service.toml` alone; nothing here names one of them.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from signalink_core.errors import ConfigurationError
from signalink_core.manifest import ServiceManifest
from signalink_stacks.lib import environment
from signalink_stacks.lib.environment import Places
from signalink_stacks.local import choice
from signalink_stacks.local.choice import ENGINES, Off
from signalink_stacks.local.credentials import Credentials
from signalink_stacks.local.ports import LOOPBACK
from signalink_stacks.local.problems import EnvironmentBroken

ENGINE_PORTS: Final = {"postgres": 5432, "valkey": 6379, "kafka": 9092, "kafka-controller": 9093}
INSTANCE_STEP: Final = 10


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for. `settings`: SIGNALINK_ keys without the prefix; `packages`: only these services (tests).

    `only`: names of services; with those they need, and their engines, nothing else runs. Empty: everything.
    """

    instances: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    faults: bool = False
    free_ports: bool = False
    packages: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """One process of one service. `needs` are names of engines and services."""

    name: str
    manifest: ServiceManifest
    http_port: int | None
    metrics_port: int
    environment: dict[str, str]

    @property
    def command(self) -> list[str]:
        """The manifest's command, with this very Python for `python`."""
        head, *rest = self.manifest.command
        return [sys.executable if head == "python" else head, *rest]

    def ports(self) -> dict[str, int]:
        return {"metrics": self.metrics_port} | ({} if self.http_port is None else {"http": self.http_port})


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that will run, in an order in which each service follows those it needs."""

    engine_ports: dict[str, int]
    services: list[ServiceProcess]
    urls: dict[str, str]
    off: tuple[Off, ...] = ()

    @property
    def engines(self) -> list[str]:
        """Engines that run, in the order in which they are started."""
        return [engine for engine in choice.ALL_ENGINES if engine in self.engine_ports]

    def ports(self) -> dict[str, int]:
        """Every port that must be free -> its number; names for messages."""
        result = dict(self.engine_ports)
        for service in self.services:
            result |= {f"{service.name} {kind}": port for kind, port in service.ports().items()}
        return result


def selected(manifests: Sequence[ServiceManifest], wishes: Wishes) -> choice.Chosen:
    """What is to run of all. EnvironmentBroken for a service that is not there."""
    try:
        return choice.select(manifests, wishes.only)
    except ConfigurationError as error:
        raise _broken(error) from error


def engine_ports(wishes: Wishes, engines: Sequence[str], take: Callable[[], int]) -> dict[str, int]:
    """Name -> port, for everything those engines bind."""
    wanted = {name: port for name, port in ENGINE_PORTS.items() if name.partition("-")[0] in engines}
    return {name: take() if wishes.free_ports else port for name, port in wanted.items()}


def fixed_ports(manifests: list[ServiceManifest], wishes: Wishes) -> dict[str, int]:
    """Every port of a start on the manifests' own ports -> its number; names for messages."""
    chosen = selected(manifests, wishes)
    result = engine_ports(wishes, chosen.engines, lambda: 0)
    for manifest in chosen.services:
        for index, (http, metrics) in enumerate(_placed(manifest, wishes, lambda: 0)):
            result |= {} if http is None else {f"{manifest.name}-{index} http": http}
            result[f"{manifest.name}-{index} metrics"] = metrics
    return result


def design(
    manifests: list[ServiceManifest], wishes: Wishes, credentials: Credentials, take: Callable[[], int]
) -> Layout:
    """`take()` gives a free port; it is asked only with `--ports free`."""
    chosen = selected(manifests, wishes)
    _check_counted(manifests, chosen.services, wishes)
    ports = engine_ports(wishes, chosen.engines, take)
    placed = [(manifest, _placed(manifest, wishes, take)) for manifest in in_order(chosen.services)]
    urls = _urls({manifest.name: places[0] for manifest, places in placed}, {m.name: m for m in manifests})
    places = _places(ports, credentials, urls, _every_socket(placed))
    services = [
        ServiceProcess(
            name=f"{manifest.name}-{index}",
            manifest=manifest,
            http_port=http,
            metrics_port=metrics,
            environment=_environment(manifest, index, (http, metrics), places, credentials, wishes),
        )
        for manifest, found in placed
        for index, (http, metrics) in enumerate(found)
    ]
    return Layout(ports, services, urls, chosen.off)


def _check_counted(known: list[ServiceManifest], run: list[ServiceManifest], wishes: Wishes) -> None:
    unknown = sorted(set(wishes.instances) - {manifest.name for manifest in known})
    if unknown:
        raise EnvironmentBroken(f"There is no service {', '.join(unknown)}.", next_step="`signalink status`")
    several = {name for name, count in wishes.instances.items() if count > 1}
    if idle := sorted(several - {manifest.name for manifest in run}):
        raise EnvironmentBroken(
            f"More than one process of {', '.join(idle)} was asked for, but only {', '.join(wishes.only)} is to run.",
            next_step=f"choose it too: `signalink up --only {','.join((*wishes.only, *idle))}`",
        )


def ports_of(engine: str, plan: Layout) -> dict[str, int]:
    """`port`, and what else the engine binds: Kafka's `controller`."""
    more = {name: port for name, port in plan.engine_ports.items() if name.startswith(f"{engine}-")}
    return {"port": plan.engine_ports[engine]} | {name.removeprefix(f"{engine}-"): more[name] for name in more}


def in_order(manifests: list[ServiceManifest]) -> list[ServiceManifest]:
    """Each service after the services it needs; by name where that leaves a choice."""
    waiting = {manifest.name: manifest for manifest in manifests}
    ordered: list[ServiceManifest] = []
    while waiting:
        free = [m for _, m in sorted(waiting.items()) if not waiting.keys() & set(m.needs)]
        if not free:
            names = ", ".join(sorted(waiting))
            raise EnvironmentBroken(f"The services {names} need each other in a circle.", next_step="edit `needs`")
        ordered += free
        for manifest in free:
            del waiting[manifest.name]
    for manifest in ordered:
        _check_needs(manifest, {m.name for m in ordered})
    return ordered


def _check_needs(manifest: ServiceManifest, services: set[str]) -> None:
    missing = sorted(set(manifest.needs) - services - ENGINES.keys())
    if missing:
        raise EnvironmentBroken(
            f"Service {manifest.name} needs {', '.join(missing)}, which is neither an engine nor a service here.",
            next_step=f"correct `needs` in services/{manifest.name}/service.toml",
        )


def _placed(manifest: ServiceManifest, wishes: Wishes, take: Callable[[], int]) -> list[tuple[int | None, int]]:
    """(http, metrics) of each process; process i adds 10 i to fixed ports."""
    http, metrics = manifest.ports.http, manifest.ports.metrics
    count = wishes.instances.get(manifest.name, 1)
    if wishes.free_ports:
        return [(None if http is None else take(), take()) for _ in range(count)]
    steps = [index * INSTANCE_STEP for index in range(count)]
    return [(None if http is None else http + step, metrics + step) for step in steps]


def _urls(first: dict[str, tuple[int | None, int]], manifests: dict[str, ServiceManifest]) -> dict[str, str]:
    """Service -> its public address, for those that have one."""
    return {
        name: f"ws://{LOOPBACK}:{http}{environment.SOCKET_PATH}"
        if manifests[name].kind == "websocket"
        else f"http://{LOOPBACK}:{http}"
        for name, (http, _) in first.items()
        if http is not None
    }


def _every_socket(placed: list[tuple[ServiceManifest, list[tuple[int | None, int]]]]) -> dict[str, list[str]]:
    """The socket of every process, of each service that serves sockets."""
    return {
        manifest.name: [f"ws://{LOOPBACK}:{http}{environment.SOCKET_PATH}" for http, _ in places]
        for manifest, places in placed
        if manifest.kind == "websocket"
    }


def _places(
    ports: Mapping[str, int],
    credentials: Credentials,
    urls: Mapping[str, str] | None = None,
    sockets: Mapping[str, Sequence[str]] | None = None,
) -> Places:
    def secret(name: str) -> str:
        return str(credentials.folder(name) if name == "auth-keys" else credentials.path(name))

    engines = {need: f"{LOOPBACK}:{ports[engine]}" for need, engine in ENGINES.items() if engine in ports}
    return Places(engines, urls or {}, secret, sockets=sockets or {}, host=LOOPBACK)


def _environment(
    manifest: ServiceManifest,
    index: int,
    ports: tuple[int | None, int],
    places: Places,
    credentials: Credentials,
    wishes: Wishes,
) -> dict[str, str]:
    http, metrics = ports
    try:
        found = environment.of(manifest, places, node=f"{manifest.name}-{index}", http=http, metrics=metrics)
    except ConfigurationError as error:
        raise _broken(error) from error
    if wishes.faults:
        token = str(credentials.path("faults-token"))
        found |= environment.prefixed({"FAULTS": "on", "FAULTS_TOKEN_FILE": token})
    return found | environment.prefixed(wishes.settings)


def bindings(
    principal: str, needs: list[str] | tuple[str, ...], ports: Mapping[str, int], credentials: Credentials
) -> dict[str, str]:
    """SIGNALINK_ keys (without the prefix) of the engines a principal needs: addresses and the paths of its secrets."""
    try:
        return environment.bindings(principal, needs, _places(ports, credentials))
    except ConfigurationError as error:
        raise _broken(error) from error


def _broken(error: ConfigurationError) -> EnvironmentBroken:
    return EnvironmentBroken(error.detail, next_step=error.next_step or "correct it")
