"""Owns what one container of compose.yaml is like: hardened alike, secrets from a volume of its own, health, limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from signalink_core.manifest import ServiceManifest
from signalink_core.provision.secretfiles import FOLDER
from signalink_stacks.containers.secrets import KEYS, USER
from signalink_stacks.lib.images import Catalogue, Image

Container = dict[str, Any]
HEALTHY: Final = "service_healthy"
DONE: Final = "service_completed_successfully"
PROJECT: Final = "signalink"
DOCKERFILE: Final = "services/Dockerfile"
KAFKA_CLUSTER: Final = "c2lnbmFsaW5rLWNvbXBvcw"
"""Names this deployment's Kafka; no secret."""
LOGS: Final = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
STOP: Final = "30s"
"""Longer than the 25 s in which a service drains."""


@dataclass
class Volumes:
    """What one container asks for: names of secrets, in the order in which they were asked for."""

    names: list[str] = field(default_factory=list)

    def path(self, name: str) -> str:
        """Where the container finds a secret; it is noted that it does."""
        if name not in self.names:
            self.names.append(name)
        return f"{FOLDER}-{KEYS}" if name == KEYS else f"{FOLDER}/{name}"


def hardened(image: Image) -> Container:
    """What all have in common; the rest is added by its maker."""
    return {
        "image": image.reference,
        **built(image),
        "user": f"{USER}:{USER}",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": ["/tmp"],  # noqa: S108 - of the container
        "logging": LOGS,
    }


def built(image: Image) -> dict[str, Any]:
    """Ours are built here until they have a digest."""
    if not image.ours or image.digest:
        return {}
    return {"build": {"context": ".", "dockerfile": DOCKERFILE, "args": {"SERVICE": image.name}}}


def after(conditions: Mapping[str, str]) -> dict[str, Any]:
    """Secrets first, then what was named."""
    wanted = {"secrets": DONE, **conditions}
    return {"depends_on": {name: {"condition": condition} for name, condition in wanted.items()}}


def limits(memory: str, pids: int = 256) -> dict[str, Any]:
    """`memory` as in a manifest: 384Mi."""
    return {"deploy": {"resources": {"limits": {"memory": memory.replace("Mi", "m").replace("Gi", "g"), "pids": pids}}}}


def secrets_of(name: str) -> str:
    """The mount of a container's own secrets."""
    return f"secrets-{name}:{FOLDER.parent}:ro"


def data(volume: str, target: str) -> dict[str, Any]:
    """The mount of an engine's data. Without `nocopy` an empty volume takes the owner of the image's own folder."""
    return {"type": "volume", "source": volume, "target": target, "volume": {"nocopy": True}}


def service(
    manifest: ServiceManifest, catalogue: Catalogue, values: Mapping[str, str], conditions: Mapping[str, str]
) -> Container:
    """A service: its ENTRYPOINT, its public port on loopback, healthy when it says ready."""
    http = manifest.ports.http
    return {
        **hardened(catalogue.named(manifest.name)),
        **after(conditions),
        "environment": dict(values),
        **({} if http is None else {"ports": [f"127.0.0.1:{http}:{http}"]}),
        "volumes": [secrets_of(manifest.name)],
        "healthcheck": {
            "test": ["CMD", "python", "-m", "signalink_core.health", manifest.health.ready],
            "interval": "5s",
            "timeout": "4s",
            "retries": 6,
            "start_period": f"{manifest.health.startup_seconds * 3}s",
        },
        "stop_grace_period": STOP,
        "restart": "unless-stopped",
        **limits(manifest.resources.memory),
    }


def job(
    name: str, image: Image, command: list[str], values: Mapping[str, str], conditions: Mapping[str, str]
) -> Container:
    """A command that ends; who waits for it waits for exit 0."""
    return {
        **hardened(image),
        **after(conditions),
        "entrypoint": command,
        "environment": dict(values),
        "volumes": [secrets_of(name)],
        "restart": "no",
        **limits("256Mi"),
    }


def secrets(catalogue: Catalogue, given: Mapping[str, Volumes], kept: Mapping[str, str]) -> Container:
    """The first container: it makes secrets, gives each container its own, and data folders to the containers' user."""
    arguments = ["--all", "/all", "--cluster-id", KAFKA_CLUSTER]
    arguments += [f"--for=/for/{name}={','.join(volume.names)}" for name, volume in given.items()]
    arguments += [f"--own=/data/{name}" for name in kept]
    mounts = [("secrets", "/all"), *((f"secrets-{name}", f"/for/{name}") for name in given)]
    mounts += [(name, f"/data/{name}") for name in kept]
    return {
        **hardened(catalogue.named("api")),
        "user": "0:0",
        "cap_add": ["CHOWN"],
        "network_mode": "none",
        "entrypoint": ["python", "-m", "signalink_stacks.containers.secrets"],
        "command": arguments,
        "volumes": [data(source, target) for source, target in mounts],
        "healthcheck": {"disable": True},
        "restart": "no",
        **limits("128Mi"),
    }


def file(containers: Mapping[str, Container], given: Mapping[str, Volumes], kept: Mapping[str, str]) -> dict[str, Any]:
    """The document: containers and the volumes they share nothing of."""
    volumes = ["secrets", *(f"secrets-{name}" for name in given), *kept]
    return {"name": PROJECT, "services": dict(containers), "volumes": {name: {} for name in volumes}}
