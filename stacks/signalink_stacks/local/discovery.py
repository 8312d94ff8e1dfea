"""Owns finding the services: every installed `signalink_*` package that has a `service.toml`. No list of names.

A service that needs Kubernetes is none of this target: here nothing answers it.
"""

import pkgutil
from collections.abc import Collection
from pathlib import Path

from signalink_core.errors import ConfigurationError
from signalink_core.manifest import ServiceManifest, find, load
from signalink_stacks.local.problems import EnvironmentBroken

PREFIX = "signalink_"


def manifests(only: Collection[str] = ()) -> list[ServiceManifest]:
    """Sorted by name; `only` names packages. ConfigurationError: a manifest is broken, or two have one name."""
    packages = sorted(only or (module.name for module in pkgutil.iter_modules() if module.name.startswith(PREFIX)))
    found: dict[str, ServiceManifest] = {}
    for package in packages:
        path = _place(package)
        if path is None:
            continue
        manifest = load(path)
        if "kubernetes" in manifest.needs:
            continue
        if manifest.name in found:
            raise ConfigurationError(f"{path}: another service is called {manifest.name} already.")
        found[manifest.name] = manifest
    return [found[name] for name in sorted(found)]


def _place(package: str) -> Path | None:
    """None: the package is no service."""
    try:
        return find(package)
    except ConfigurationError:
        return None


def required(only: Collection[str] = ()) -> list[ServiceManifest]:
    """The same for a start: what is wrong with the first broken one is the environment's fault."""
    try:
        return manifests(only)
    except ConfigurationError as error:
        raise EnvironmentBroken(error.detail, next_step=error.next_step or "correct that file") from error
