"""Reads the section `bindings` of a stack's configuration: who runs each engine, and what else is said of it. Pure.

Owns which key which provider reads: any other value than the default where none reads it is a fault, and no silence.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, cast

from signalink_stacks.lib.reading import Section
from signalink_stacks.lib.settings import (
    DATABASE,
    ENGINES,
    PROVIDERS,
    BindingSettings,
    Engine,
    Profile,
    Provider,
    Target,
)

HOST: Final = r"[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?"
BROKER: Final = HOST + r":\d{1,5}"
PORTS: Final[Mapping[Engine, int]] = {"postgres": 5432, "redis": 6379, "kafka": 9092}
SECURITY: Final = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl", "aws_msk_iam")
SMALLEST: Final[Mapping[Engine, str]] = {"postgres": "db.t4g.micro", "redis": "cache.t4g.micro"}
STORAGE_GIB: Final = (1, 16_384)
VOLUME_GIB: Final = (20, 65_536)
"""Least and most of a gp3 volume of RDS for PostgreSQL; elsewhere Kubernetes' class decides."""
USUAL_GIB: Final = 20
ELSEWHERE: Final = frozenset({"user", "secret_name", "secret_key", "cidrs"})
TAKEN: Final[Mapping[tuple[Engine, Provider], frozenset[str]]] = {
    ("postgres", "chart"): frozenset(),
    ("postgres", "operator"): frozenset({"storage_gib", "replicas"}),
    ("postgres", "aws"): frozenset({"storage_gib", "instance"}),
    ("postgres", "external"): ELSEWHERE | {"host", "port", "tls", "database"},
    ("redis", "chart"): frozenset(),
    ("redis", "aws"): frozenset({"replicas", "instance"}),
    ("redis", "external"): ELSEWHERE | {"host", "port", "tls"},
    ("kafka", "chart"): frozenset(),
    ("kafka", "operator"): frozenset({"storage_gib", "replicas"}),
    ("kafka", "aws"): frozenset(),
    ("kafka", "external"): ELSEWHERE | {"brokers", "security"},
}
"""What is read of an engine's settings by who runs it, besides the provider itself."""
KEYS: Final = {"storage_gib": "storageGib", "secret_name": "secret", "secret_key": "secret"}
"""Settings that are not called as their key."""
KNOWN: Final = ("host", "brokers")
"""What a provider that makes the engine knows by itself."""


def read(top: Section, target: Target, profile: Profile) -> dict[Engine, BindingSettings]:
    """The binding of each engine."""
    found = {engine: _binding(top.section(engine), engine, target, profile) for engine in ENGINES}
    top.close()
    return found


def _binding(section: Section, engine: Engine, target: Target, profile: Profile) -> BindingSettings:
    usual = "aws" if target == "eks" and (profile == "full" or engine != "kafka") else "chart"
    provider = cast(Provider, section.choice("provider", PROVIDERS[engine], usual))
    if provider == "aws" and target != "eks":
        section.refuse("provider", f"chart, operator or external with target {target}", "aws needs target eks")
    found = _settings(section, engine, provider)
    section.close()
    _agrees(section, engine, found)
    return found


def _settings(section: Section, engine: Engine, provider: Provider) -> BindingSettings:
    """All but the provider."""
    secret = section.section("secret")
    found = BindingSettings(
        provider=provider,
        user=section.text("user", "", form=r"[A-Za-z0-9_.@-]{1,128}", expected="the name of a user"),
        secret_name=secret.text("name", "", form=HOST, expected="the name of a Secret in the namespace"),
        secret_key=secret.text("key", "", form=r"[-._A-Za-z0-9]{1,253}", expected="a key of that Secret"),
        cidrs=section.texts("cidrs", form=r"[0-9a-fA-F.:]+/\d{1,3}", expected="a network such as 10.0.0.0/16"),
        replicas=section.whole("replicas", 1, least=1, most=9),
        **(_kafka(section, provider) if engine == "kafka" else _server(section, engine, provider)),
        **({} if engine == "redis" else _volume(section, engine, provider)),
    )
    secret.close()
    return found


def _kafka(section: Section, provider: Provider) -> dict[str, Any]:
    """Only of Kafka."""
    security = "aws_msk_iam" if provider == "aws" else "sasl_plaintext"
    return {
        "brokers": section.texts("brokers", form=BROKER, expected="host:port"),
        "tls": provider == "aws",
        "security": section.choice("security", SECURITY, security),
    }


def _server(section: Section, engine: Engine, provider: Provider) -> dict[str, Any]:
    """Only of Postgres and Redis."""
    machine = SMALLEST[engine] if provider == "aws" else ""
    found = {
        "host": section.text("host", "", form=HOST, expected="a host name"),
        "port": section.whole("port", PORTS[engine], least=1, most=65535),
        "tls": section.flag("tls", default=provider == "aws"),
        "instance": section.text(
            "instance", machine, form=r"(db|cache)\.[a-z0-9]+\.[a-z0-9]+", expected="a machine's type"
        ),
    }
    if engine == "postgres":
        name = section.text("database", DATABASE, form=r"[A-Za-z0-9_-]{1,63}", expected="the name of a database")
        found["database"] = name
    return found


def _volume(section: Section, engine: Engine, provider: Provider) -> dict[str, Any]:
    """GiB; 0 where the volume's size is not said here."""
    least, most = VOLUME_GIB if (provider, engine) == ("aws", "postgres") else STORAGE_GIB
    usual = USUAL_GIB if "storage_gib" in TAKEN[engine, provider] else 0
    return {"storage_gib": section.whole("storageGib", usual, least=least, most=most)}


def _agrees(section: Section, engine: Engine, found: BindingSettings) -> None:
    """What keys of one binding say together."""
    for cidr in found.cidrs:
        try:
            ipaddress.ip_network(cidr)
        except ValueError:
            section.refuse("cidrs", "networks such as 10.0.0.0/16", f"correct {cidr}")
    if found.provider == "external":
        where = "brokers" if engine == "kafka" else "host"
        if not (found.brokers or found.host):
            section.refuse(where, "where it is, with provider external", "set it")
        if not found.secret_name and found.security not in ("plaintext", "ssl", "aws_msk_iam"):
            section.refuse("secret", "name of the Secret with its passwords, with provider external", "set secret.name")
    for key, setting in _unread(engine, found).items():
        reason = "knows" if setting in KNOWN else "does not read it"
        fix = "remove it, or use external" if setting in KNOWN or setting in ELSEWHERE else "remove it"
        if (setting, found.provider) == ("storage_gib", "chart"):
            fix = f"remove it; what the chart asks for, when it is made, is values.{engine}.persistence.size"
        section.refuse(key, f"nothing with provider {found.provider}, which {reason}", fix)


def _unread(engine: Engine, found: BindingSettings) -> dict[str, str]:
    """Key -> setting, of all that say something else than by default to a provider that does not read them."""
    usual = _settings(Section("", {}, []), engine, found.provider)
    spare = {field.name for field in fields(found)} - TAKEN[engine, found.provider]
    return {KEYS.get(name, name): name for name in sorted(spare) if getattr(found, name) != getattr(usual, name)}
