"""Owns the checks before anything is started: manifests, disk, ports. Each failure says what, why and what next."""

import shutil
from collections.abc import Collection
from pathlib import Path

from signalink_core.errors import ConfigurationError
from signalink_core.manifest import ServiceManifest
from signalink_stacks.local import discovery, ports
from signalink_stacks.local.problems import EnvironmentBroken

NEEDED_BYTES = 700 * 1024 * 1024
"""Space for a new platform: Postgres 60 MB and its log 512 MB at most, Kafka, logs."""


def manifests(only: Collection[str] = ()) -> list[ServiceManifest]:
    """Every service's manifest, or what is wrong with the first broken one."""
    try:
        return discovery.manifests(only)
    except ConfigurationError as error:
        raise EnvironmentBroken(error.detail, next_step=error.next_step or "correct that file") from error


def disk(folder: Path, needed: int = NEEDED_BYTES) -> None:
    """The file system of `folder` has space."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise EnvironmentBroken(
            f"{folder} has {free // 2**20} MB free; the platform needs {needed // 2**20} MB.",
            next_step="free some space, or put the state elsewhere: SIGNALINK_STATE=FOLDER signalink up",
        )


def free_ports(wanted: dict[str, int]) -> None:
    """Nobody holds a port that will be bound."""
    taken = {name: port for name, port in wanted.items() if not ports.is_free(port)}
    if not taken:
        return
    lines = [f"port {port} ({name}) is held by {ports.holder(port)}" for name, port in taken.items()]
    raise EnvironmentBroken(
        f"{'; '.join(lines)}.", next_step="stop it, or let the platform choose: `signalink up --ports free`"
    )
