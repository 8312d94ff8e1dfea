"""The fourth layer: the services, each with its own Secret, its own identity and the Bindings it needs."""

import pulumi

from signalink_core.manifest import ServiceManifest
from signalink_stacks.components import cloud
from signalink_stacks.components.contracts import Statement
from signalink_stacks.components.release import Release
from signalink_stacks.components.room import Room
from signalink_stacks.layers.platform import Platform
from signalink_stacks.lib import chartvalues, words


def deploy(room: Room, platform: Platform) -> dict[str, Release]:
    """Service -> its release."""
    manifests = {manifest.name: manifest for manifest in words.manifests(room.materials.root)}
    if room.cluster.identity == "pod-identity":
        for manifest in manifests.values():
            _identity(room, platform, manifest)
    return {name: _service(room, platform, manifests[name]) for name in chartvalues.SERVICES}


def _service(room: Room, platform: Platform, manifest: ServiceManifest) -> Release:
    release = room.config.release
    secret = room.secret(manifest.name, f"{release}-{manifest.name}-secrets", words.of_service(manifest))
    names: dict[str, str] = {"words": secret.name}
    needed: list[pulumi.Resource] = [secret]
    if words.KEYS in manifest.secrets:
        files = words.signing(room.config.secrets)
        keys = room.secret(f"{manifest.name}-keys", f"{release}-{manifest.name}-auth-keys", files)
        names, needed = names | {"keys": keys.name}, [*needed, keys]
    ready = [each for need in manifest.needs for each in _binding_resources(platform, need)]
    own = chartvalues.of_service(room.config, manifest.name, names)
    own = chartvalues.merged(cloud.values(room.cluster, public=manifest.ports.http is not None), own)
    return room.release(manifest.name, own, platform.values, [*needed, *ready, platform.topics])


def _binding_resources(platform: Platform, need: str) -> list[pulumi.Resource]:
    return [each for engine, binding in platform.bindings.items() if engine == need for each in binding.depends_on]


def _identity(room: Room, platform: Platform, manifest: ServiceManifest) -> None:
    """A role of the cloud for this service alone: what its Bindings need of it, and nothing else."""
    statements: list[Statement] = []
    for engine, binding in platform.bindings.items():
        if engine in manifest.needs:
            statements += binding.grants.get(manifest.name, ())
    cloud.aws().role(room.cluster, room.config, manifest.name, statements)
