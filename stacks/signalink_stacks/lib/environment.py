"""Owns the SIGNALINK_ environment of a service: the same keys on every target, from addresses and paths of secrets.

A target says where things are (`Places`); which keys a service gets follows from its manifest. No value is a secret.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from signalink_core import principals
from signalink_core.errors import ConfigurationError
from signalink_core.manifest import ServiceManifest

PREFIX: Final = "SIGNALINK_"
DATABASE: Final = "signalink"
ENGINES: Final = ("postgres", "redis", "kafka")
"""Needs that are bindings; every other need is a service, or Kubernetes."""
FILES: Final = {
    "auth-secret": "AUTH_SECRET_FILE",
    "analytics-secret": "ANALYTICS_SECRET_FILE",
    "canary-secret": "CANARY_SECRET_FILE",
    "notifications-secret": "NOTIFICATIONS_SECRET_FILE",
}
"""Secret of the platform -> the key that names its file."""
SOCKET_PATH: Final = "/v1/socket"


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are on a target. `engines`: need -> `host:port`; `secret`: name -> path of its file or folder.

    `urls`: service -> the address people use; `inside`: service -> the address the services use, where it is another;
    `sockets`: service -> the socket of each of its processes, for who must reach all of them.
    """

    engines: Mapping[str, str]
    urls: Mapping[str, str]
    secret: Callable[[str], str]
    inside: Mapping[str, str] = field(default_factory=dict)
    sockets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    host: str = "0.0.0.0"  # noqa: S104 - in a container: what reaches it is the network's matter
    security: str = "sasl_plaintext"

    def url(self, service: str) -> str:
        return self.inside.get(service) or self.urls[service]


def of(manifest: ServiceManifest, places: Places, *, node: str, http: int | None, metrics: int) -> dict[str, str]:
    """The whole environment of one process, keys with their prefix."""
    values = {
        "HOST": places.host,
        "METRICS_PORT": str(metrics),
        "NODE": node,
        "ENVIRONMENT": "local",
        "INSPECT_TOKEN_FILE": places.secret("inspect-token"),
        **({} if http is None else {"HTTP_PORT": str(http)}),
        **addresses(manifest, places),
        **bindings(manifest.name, manifest.needs, places),
        **secret_files(manifest.secrets, places.secret),
    }
    return prefixed(values)


def prefixed(values: Mapping[str, str]) -> dict[str, str]:
    return {f"{PREFIX}{key}": value for key, value in values.items()}


def key(service: str) -> str:
    """A service's name as it stands in keys."""
    return service.upper().replace("-", "_")


def addresses(manifest: ServiceManifest, places: Places) -> dict[str, str]:
    """`<SERVICE>_URL` of every service, and what follows from the api's.

    What a service calls is named as services reach it, everything else (and itself) as people do: the api tells it to
    them. A service that is called by another name than people use is told that name in `<SERVICE>_HOSTS`.
    """
    result = {
        f"{key(name)}_URL": places.url(name) if name in manifest.needs else url for name, url in places.urls.items()
    }
    result |= {f"{key(name)}_URLS": ",".join(each) for name, each in places.sockets.items()}
    if "api" in places.urls:
        result["AUTH_JWKS_URL"] = f"{places.url('api')}/.well-known/jwks.json"
        result["WS_ORIGINS"] = ",".join(origins(places.urls["api"]))
    if manifest.name in places.inside:
        result[f"{key(manifest.name)}_HOSTS"] = places.inside[manifest.name].partition("://")[2].partition(":")[0]
    return result


def origins(url: str) -> list[str]:
    """The pages that may open sockets: the api's address, and its other name where it is this machine's."""
    other = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}
    found = [url]
    found += [url.replace(one, two, 1) for one, two in other.items() if f"//{one}:" in url]
    return found


def secret_files(names: Sequence[str], secret: Callable[[str], str]) -> dict[str, str]:
    """The paths of the platform secrets that a manifest asks for."""
    known = FILES | {"auth-keys": "AUTH_KEYS_DIR"}
    return {known[name]: secret(name) for name in names}


def bindings(principal: str, needs: Sequence[str], places: Places) -> dict[str, str]:
    """Keys (without the prefix) of the engines a principal needs: addresses, and the paths of its secrets.

    ConfigurationError when the principal has no account on one of them.
    """
    known = principals.PRINCIPALS.get(principal)
    result: dict[str, str] = {}
    if "postgres" in needs:
        role = _account(principal, "postgres", known.postgres_role if known else None)
        result |= {
            "POSTGRES_DSN": f"postgresql://{role}@{places.engines['postgres']}/{DATABASE}",
            "POSTGRES_PASSWORD_FILE": places.secret(f"postgres-{principal}"),
        }
    if "redis" in needs:
        _account(principal, "redis", known.redis_acl if known else None)
        result |= {
            "REDIS_URL": f"redis://{principal}@{places.engines['redis']}/0",
            "REDIS_PASSWORD_FILE": places.secret(f"redis-{principal}"),
        }
    if "kafka" in needs:
        _account(principal, "kafka", principal if known and known.uses_kafka else None)
        result |= {
            "KAFKA_BOOTSTRAP": places.engines["kafka"],
            "KAFKA_USER": principal,
            "KAFKA_PASSWORD_FILE": places.secret(f"kafka-{principal}"),
            "KAFKA_SECURITY": places.security,
        }
    return result


def _account(principal: str, engine: str, account: str | None) -> str:
    if account is None:
        raise ConfigurationError(
            f"Service {principal} needs {engine}, but has no account there.",
            next_step="add it to the table in services/core/signalink_core/principals.py, or to no `needs`",
        )
    return account
