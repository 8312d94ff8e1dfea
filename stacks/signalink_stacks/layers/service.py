"""One service in the cluster: its Secret, its signing keys if it has some, its chart. Layers say what comes first."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pulumi

from signalink_core.manifest import ServiceManifest
from signalink_stacks.components import cloud
from signalink_stacks.components.contracts import Statement
from signalink_stacks.components.release import Release
from signalink_stacks.components.site import Site
from signalink_stacks.layers.backing import Bindings
from signalink_stacks.lib import chartvalues, words


def deploy(
    site: Site,
    manifest: ServiceManifest,
    bindings: Bindings,
    values: Mapping[str, Mapping[str, Any]],
    after: Iterable[pulumi.Resource] = (),
) -> Release:
    """`values`: Bindings as charts are told of them; what makes those it needs comes before it, with `after`."""
    release = site.config.release
    secret = site.secret(manifest.name, f"{release}-{manifest.name}-secrets", words.of_service(manifest))
    names: dict[str, str] = {"words": secret.name}
    needed: list[pulumi.Resource] = [secret, *after]
    if words.KEYS in manifest.secrets:
        files = words.signing(site.config.secrets)
        keys = site.secret(f"{manifest.name}-keys", f"{release}-{manifest.name}-auth-keys", files)
        names, needed = names | {"keys": keys.name}, [*needed, keys]
    needed += [each for need in manifest.needs for each in _made_for(bindings, need)]
    needed += _identities(site, manifest, bindings)
    own = chartvalues.of_service(site.config, manifest.name, names) | _users(manifest, bindings)
    own = chartvalues.merged(cloud.values(site.cluster, public=manifest.ports.http is not None), own)
    return site.release(manifest.name, own, values, needed)


def _identities(site: Site, manifest: ServiceManifest, bindings: Bindings) -> list[pulumi.Resource]:
    """Roles of the cloud, there before the pods, which are told of theirs when they start and never again.

    The service has what its Bindings need of it and nothing else; Jobs that are the schemas' owner have their own.
    """
    if site.cluster.identity != "pod-identity":
        return []
    own = [each for need in manifest.needs for each in _grants(bindings, need).get(manifest.name, ())]
    wanted: dict[str, Sequence[Statement]] = {manifest.name: own}
    if owner := _grants(bindings, "postgres").get("owner", ()):
        wanted |= {f"{manifest.name}-migrate": owner} if manifest.database else {}
        wanted |= {f"{manifest.name}-tokens": owner} if manifest.name == chartvalues.ISSUER else {}
    return [cloud.aws().role(site.cluster, site.config, part, granted) for part, granted in wanted.items()]


def _grants(bindings: Bindings, need: str) -> Mapping[str, Sequence[Statement]]:
    return next((binding.grants for engine, binding in bindings.items() if engine == need), {})


def _users(manifest: ServiceManifest, bindings: Bindings) -> dict[str, Any]:
    """Names of this service's own accounts, where they are not the table's."""
    named = {engine: binding.users.get(manifest.name, "") for engine, binding in bindings.items()}
    given = {engine: {"user": user} for engine, user in named.items() if user and engine in manifest.needs}
    return {"bindings": given} if given else {}


def _made_for(bindings: Bindings, need: str) -> list[pulumi.Resource]:
    return [each for engine, binding in bindings.items() if engine == need for each in binding.depends_on]
