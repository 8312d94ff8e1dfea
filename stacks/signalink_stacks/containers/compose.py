"""Owns compose.yaml: the platform for `docker compose up`, derived from the manifests and charts/images.yaml.

`python -m signalink_stacks.containers.compose FILE` writes it. Nothing here names a service; what one container is like
is `shapes`, what the engines and jobs are is `backing`.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from signalink_core.manifest import ServiceManifest
from signalink_stacks.containers import backing, shapes
from signalink_stacks.containers.shapes import Container, Volumes
from signalink_stacks.lib import environment, images
from signalink_stacks.lib.environment import Places
from signalink_stacks.lib.images import Catalogue
from signalink_stacks.local import discovery, layout

HEAD: Final = """\
# The whole platform in containers: `docker compose up`, then open http://localhost:8000. `docker compose down` keeps
# the messages, `docker compose down --volumes` deletes them with all secrets.
# Generated from the service.toml files and charts/images.yaml by `make docs`; do not edit.
"""
PEOPLE: Final = "localhost"


def places(manifests: Iterable[ServiceManifest], volume: Volumes) -> Places:
    """Addresses in compose's network; each secret that is asked for is noted in `volume`."""
    urls, inside, sockets = {}, {}, {}
    for manifest in manifests:
        if manifest.ports.http is None:
            continue
        name, port = manifest.name, manifest.ports.http
        scheme, path = ("ws", environment.SOCKET_PATH) if manifest.kind == "websocket" else ("http", "")
        urls[name] = f"{scheme}://{PEOPLE}:{port}{path}"
        inside[name] = f"{scheme}://{name}:{port}{path}"
        if manifest.kind == "websocket":
            sockets[name] = [inside[name]]
    return Places(backing.ADDRESSES, urls, volume.path, inside, sockets)


def document(manifests: Sequence[ServiceManifest], catalogue: Catalogue) -> dict[str, Any]:
    """The whole file as data."""
    ordered = layout.in_order(list(manifests))
    containers: dict[str, Container] = {}
    given: dict[str, Volumes] = {}

    def add(name: str, container: Container, volume: Volumes) -> None:
        containers[name], given[name] = container, volume

    backing.engines(catalogue, add)
    done = backing.jobs(ordered, catalogue, add)
    for manifest in ordered:
        volume = Volumes()
        where = places(ordered, volume)
        http, metrics = manifest.ports.http, manifest.ports.metrics
        values = environment.of(manifest, where, node=f"{manifest.name}-0", http=http, metrics=metrics)
        after = {each: condition for need in manifest.needs for each, condition in _serves(need, done).items()}
        add(manifest.name, shapes.service(manifest, catalogue, values, after), volume)
    secrets = shapes.secrets(catalogue, given, backing.DATA)
    return shapes.file({"secrets": secrets, **containers}, given, backing.DATA)


def _serves(need: str, done: dict[str, dict[str, str]]) -> dict[str, str]:
    """What must be ready before somebody who needs this starts: a job's end, or a service's health."""
    return done.get(need) or {need: shapes.HEALTHY}


class _Plain(yaml.SafeDumper):
    """Says the same thing twice instead of pointing at it: people read the file."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def text(manifests: Sequence[ServiceManifest], catalogue: Catalogue) -> str:
    body = yaml.dump(document(manifests, catalogue), Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)
    return f"{HEAD}{body}"


def main(arguments: Sequence[str]) -> int:
    """0 written, 64 wrong use."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m signalink_stacks.containers.compose FILE\n")
        return 64
    Path(arguments[0]).write_text(text(discovery.manifests(), images.load()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
