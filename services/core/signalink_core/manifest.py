"""The model of `service.toml`: what every target, chart, dashboard and document derives from."""

import importlib.util
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from signalink_core.errors import ConfigurationError

FILE_NAME = "service.toml"
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,38}[a-z0-9]$")]
Topic = Literal["messages", "notifications", "analytics", "presence"]
Need = Literal["postgres", "redis", "kafka", "api", "gateway", "kubernetes"]
Secret = Literal["analytics-secret", "auth-keys", "auth-secret", "canary-secret", "notifications-secret"]
Kind = Literal["rest", "websocket", "consumer", "worker"]
Port = Annotated[int, Field(ge=1, le=65535)]
UrlPath = Annotated[str, StringConstraints(pattern=r"^/[a-z0-9/_-]+$")]
Percent = Annotated[float, Field(gt=0, lt=100)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ports(_Table):
    """Ports of the first process; process i adds 10 i."""

    http: Port | None = None
    metrics: Port


class Health(_Table):
    live: UrlPath = "/healthz"
    ready: UrlPath = "/readyz"
    startup_seconds: Annotated[int, Field(ge=1, le=600)] = 20


class Database(_Table):
    schema_: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$"), Field(alias="schema")]
    migrations: Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$")]


class Resources(_Table):
    cpu: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*m?$")]
    memory: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(Mi|Gi)$")]


class Slo(_Table):
    """Percent of good events, and the latency bound in seconds that `latency_objective` percent keep."""

    availability: Percent
    latency_seconds: Annotated[float, Field(gt=0)]
    latency_objective: Percent


class ServiceManifest(_Table):
    name: Name
    kind: Kind
    command: Annotated[tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(min_length=1)]
    purpose: Annotated[str, StringConstraints(max_length=80, pattern=r"^[^\n]*$")] = ""
    """What it does for people, in a few words; what is missing where it does not run."""
    needs: tuple[Need, ...] = ()
    optional: tuple[Need, ...] = ()
    """Of `needs`: it runs without them too, and does less."""
    consumes: tuple[Topic, ...] = ()
    produces: tuple[Topic, ...] = ()
    secrets: tuple[Secret, ...] = ()
    """Secrets of the platform it gets as files, beside those of what it needs."""
    ports: Ports
    health: Health = Health()
    database: Database | None = None
    resources: Resources
    slo: Slo | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        for key in ("needs", "optional", "consumes", "produces", "secrets"):
            values = getattr(self, key)
            if len(set(values)) != len(values):
                raise ValueError(f"{key} names something twice")
        if spare := sorted(set(self.optional) - set(self.needs)):
            raise ValueError(f"optional names {', '.join(spare)}, which is not in needs")
        if (self.consumes or self.produces) and "kafka" not in self.needs:
            raise ValueError('consumes or produces topics, so needs must contain "kafka"')
        if self.kind == "consumer" and not self.consumes:
            raise ValueError("kind is consumer, so consumes must name a topic")
        if self.kind in {"rest", "websocket"} and self.ports.http is None:
            raise ValueError(f"kind is {self.kind}, so ports.http must be set")
        if self.ports.http == self.ports.metrics:
            raise ValueError("ports.http and ports.metrics must differ")
        if self.database is not None and "postgres" not in self.needs:
            raise ValueError('has a database, so needs must contain "postgres"')
        return self

    def port(self, which: Literal["http", "metrics"], process: int = 0) -> int | None:
        """The port of process `process` (from 0); None where the service has none."""
        first: int | None = getattr(self.ports, which)
        return None if first is None else first + 10 * process


_TABLES: dict[str, type[BaseModel]] = {
    "ports": Ports,
    "health": Health,
    "database": Database,
    "resources": Resources,
    "slo": Slo,
}


def load(path: Path) -> ServiceManifest:
    """Read and check one file. ConfigurationError lists every fault as `file: key: what, what is allowed`."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: is not TOML: {error}.", next_step="correct the file.") from error
    return parse(document, str(path))


def parse(document: object, source: str) -> ServiceManifest:
    """Check a document that was read from `source`; errors as `load`."""
    try:
        return ServiceManifest.model_validate(document)
    except ValidationError as error:
        found = "; ".join(_sentence(item) for item in error.errors())
        raise ConfigurationError(f"{source}: {found}.", next_step="correct the file and try again.") from error


def find(package: str) -> Path:
    """The manifest of a service package: beside the package's folder (checkout), or inside it (installed)."""
    spec = importlib.util.find_spec(package)
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    for folder in folders:
        for candidate in (folder / FILE_NAME, folder.parent / FILE_NAME):
            if candidate.is_file():
                return candidate
    raise ConfigurationError(
        f"The package {package} has no {FILE_NAME}.", next_step=f"put one beside the folder {package}/."
    )


def _sentence(item: Any) -> str:
    key = ".".join(f"[{part}]" if isinstance(part, int) else str(part) for part in item["loc"]).replace(".[", "[")
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{key}: is not a known key; known here: {', '.join(_known(item['loc'][:-1]))}"
    if kind == "missing":
        return f"{key}: is missing"
    if kind == "value_error":
        return str(context["error"])
    allowed = (
        f"must match {context['pattern']}" if "pattern" in context else item["msg"].replace("Input should", "must")
    )
    return f"{key}: {item['input']!r} is wrong: {allowed}"


def _known(parents: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = ServiceManifest
    for parent in parents:
        model = _TABLES[str(parent)]
    return sorted(field.alias or name for name, field in model.model_fields.items())
