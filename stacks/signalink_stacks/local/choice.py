"""Owns what runs when only some services were chosen: those they need as well, and the engines that follow. Pure.

A need that a manifest calls optional brings nothing in. Where nobody else brings it in, it is taken out of the
manifest, so that everything after this sees a service as it will run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from signalink_core.errors import ConfigurationError
from signalink_core.manifest import ServiceManifest
from signalink_stacks.lib import reading

EVERYTHING: Final = "all"
"""What is said to end a choice."""
ENGINES: Final = {"postgres": "postgres", "redis": "valkey", "kafka": "kafka"}
"""What a manifest needs -> the engine that serves it."""
ALL_ENGINES: Final = tuple(ENGINES.values())


@dataclass(frozen=True, slots=True)
class Off:
    """A part that was not chosen. `purpose`: what is missing without it."""

    name: str
    kind: Literal["engine", "service"]
    purpose: str

    def __str__(self) -> str:
        return f"{self.name}: {self.purpose}" if self.purpose else self.name


@dataclass(frozen=True, slots=True)
class Chosen:
    """`services` with their needs as they will be met; `added`: service that was not named -> who needs it."""

    services: list[ServiceManifest]
    engines: tuple[str, ...] = ALL_ENGINES
    added: Mapping[str, str] = field(default_factory=dict)
    off: tuple[Off, ...] = ()


def select(manifests: Sequence[ServiceManifest], only: Sequence[str]) -> Chosen:
    """Everything where `only` is empty. ConfigurationError names each unknown service and the one it is like."""
    if not only:
        return Chosen(list(manifests))
    known = {manifest.name: manifest for manifest in manifests}
    require_known(only, known)
    names, added = _with_needed(only, known)
    needed = {need for name in names for need in _required(known[name])}
    engines = tuple(engine for need, engine in ENGINES.items() if need in needed)
    there = {*names, *(need for need, engine in ENGINES.items() if engine in engines)}
    running = [_as_it_runs(manifest, there) for manifest in manifests if manifest.name in names]
    return Chosen(running, engines, added, _off(manifests, names, engines))


def require_known(only: Sequence[str], known: Mapping[str, ServiceManifest]) -> None:
    """ConfigurationError for names that are no service here."""
    wrong = [_sentence(name, list(known)) for name in only if name not in known]
    if wrong:
        raise ConfigurationError(
            " ".join(wrong),
            next_step=f"choose from {', '.join(sorted(known))}; `--only {EVERYTHING}` starts every part.",
        )


def _sentence(name: str, known: list[str]) -> str:
    if name in ALL_ENGINES:
        return f"{name} is an engine: engines follow from the services that need them."
    hint = reading.nearest(name, known)
    return f"There is no service {name!r}" + (f": {hint}" if hint else ".")


def _required(manifest: ServiceManifest) -> list[str]:
    return [need for need in manifest.needs if need not in manifest.optional]


def _with_needed(only: Sequence[str], known: Mapping[str, ServiceManifest]) -> tuple[set[str], dict[str, str]]:
    """All names, and of those that were not asked for, who needs them."""
    names, added, waiting = set(only), dict[str, str](), list(only)
    while waiting:
        name = waiting.pop(0)
        for need in _required(known[name]):
            if need in known and need not in names:
                names.add(need)
                added[need] = name
                waiting.append(need)
    return names, added


def _as_it_runs(manifest: ServiceManifest, there: set[str]) -> ServiceManifest:
    met = tuple(need for need in manifest.needs if need in there or need not in manifest.optional)
    return manifest if met == manifest.needs else manifest.model_copy(update={"needs": met})


def _off(manifests: Sequence[ServiceManifest], names: set[str], engines: Sequence[str]) -> tuple[Off, ...]:
    services = [Off(each.name, "service", each.purpose) for each in manifests if each.name not in names]
    spared = {
        engine: [each for each in manifests if each.name in names and need in each.optional]
        for need, engine in ENGINES.items()
        if engine not in engines
    }
    return (*(Off(engine, "engine", _loss(users)) for engine, users in spared.items()), *services)


def _loss(users: Sequence[ServiceManifest]) -> str:
    """Of an engine: who runs without it, and the topics that get nothing from there."""
    if not users:
        return "nothing that runs needs it"
    topics = sorted({topic for each in users for topic in each.produces})
    names = ", ".join(each.name for each in users)
    return f"{names} runs without it" + (f" and writes nothing to {', '.join(topics)}" if topics else "")
