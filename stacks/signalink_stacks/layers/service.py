"""One service in the cluster: its Secret, its signing keys if it has some, its chart. Layers say what comes first."""

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi

from signalink_core.manifest import ServiceManifest
from signalink_stacks.components import cloud
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
    own = chartvalues.of_service(site.config, manifest.name, names)
    own = chartvalues.merged(cloud.values(site.cluster, public=manifest.ports.http is not None), own)
    return site.release(manifest.name, own, values, needed)


def _made_for(bindings: Bindings, need: str) -> list[pulumi.Resource]:
    return [each for engine, binding in bindings.items() if engine == need for each in binding.depends_on]
