"""Which secrets a stack must have, by name, and which of them go into which Secret. Pure: no value is here.

Making them once is `clusters.words`; the services' own names come from their manifests, accounts from the principals.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from signalink_core.manifest import ServiceManifest, load
from signalink_stacks.charts.observers import OBSERVERS
from signalink_stacks.lib.chartfolder import facts
from signalink_stacks.lib.reading import Fault
from signalink_stacks.lib.settings import Config, Engine

CHARTS: Final[Mapping[Engine, str]] = {"postgres": "postgres", "redis": "valkey", "kafka": "kafka"}
"""Backing service -> the chart that runs it."""
KEYS: Final = "auth-keys"
INSPECT: Final = "inspect-token"
SHOWN: Final = 4


def manifests(root: Path) -> list[ServiceManifest]:
    """Every service of a checkout, by name."""
    found = [load(path) for path in (*root.glob("services/*/service.toml"), root / "operator/service.toml")]
    return sorted(found, key=lambda manifest: manifest.name)


def of_engine(root: Path, engine: Engine) -> tuple[str, ...]:
    """Names of the words of every principal on one backing service; each is also its key in the Secret."""
    return tuple(facts(root, CHARTS[engine])["keys"])


def of_observer(root: Path, chart: str) -> tuple[str, ...]:
    """Names of the words of what watches; most have none."""
    return tuple(facts(root, chart).get("keys", ()))


def of_service(manifest: ServiceManifest) -> dict[str, str]:
    """Key in the service's own Secret -> name of the secret. Every service has its own token for /debug."""
    own = {name: name for name in sorted(manifest.secrets) if name != KEYS}
    return own | {INSPECT: f"{INSPECT}-{manifest.name}"}


def signing(names: Iterable[str]) -> dict[str, str]:
    """File of each signing key -> name of the secret: `auth-keys/<kid>.pem`."""
    return {name.partition("/")[2]: name for name in sorted(names) if name.startswith(f"{KEYS}/")}


def stands_for(name: str) -> str:
    """What `wanted` calls it: every signing key is `auth-keys`."""
    return KEYS if name.startswith(f"{KEYS}/") else name


def wanted(config: Config, root: Path) -> tuple[str, ...]:
    """Every secret that this stack must have; `auth-keys` stands for at least one signing key."""
    if config.target == "aws-lite":
        return ()
    names = [name for manifest in manifests(root) for name in of_service(manifest).values()]
    for engine, binding in config.bindings.items():
        if binding.provider in ("chart", "operator"):
            names += of_engine(root, engine)
    if config.observability:
        names += [name for chart in OBSERVERS for name in of_observer(root, chart)]
    return (*sorted(set(names)), KEYS)


def missing(config: Config, root: Path) -> list[str]:
    """Those of `wanted` that the configuration lacks."""
    lacking = [name for name in wanted(config, root) if name != KEYS and name not in config.secrets]
    needs_key = KEYS in wanted(config, root) and not signing(config.secrets)
    return lacking + ([KEYS] if needs_key else [])


def faults(config: Config, root: Path) -> list[Fault]:
    """One fault for all that is missing."""
    lacking = missing(config, root)
    if not lacking:
        return []
    some = ", ".join(lacking[:SHOWN]) + (f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else "")
    fix = f"`python -m signalink_stacks.clusters.words {config.stack}` makes what is missing, once"
    return [Fault("secrets", f"{len(config.secrets)} of them", f"also {some}", fix)]
