"""Who runs Postgres, Redis and Kafka: our chart, or somebody else who only says where it is. Each gives a Binding."""

from dataclasses import dataclass
from typing import Final

from signalink_stacks.components.contracts import Auth, Binding, ClusterOutputs, SecretRef, Tls
from signalink_stacks.components.site import Site
from signalink_stacks.lib import chartvalues, words
from signalink_stacks.lib.bindingconfig import PORTS
from signalink_stacks.lib.settings import DATABASE, BindingSettings, Config, Engine

DATABASES: Final[dict[Engine, str]] = {"postgres": DATABASE, "redis": "0", "kafka": ""}
"""Of those that we make: Postgres' database, Redis' number; Kafka has none."""
AUTH: Final[dict[Engine, Auth]] = {"postgres": "scram", "redis": "password", "kafka": "scram"}


@dataclass(frozen=True, slots=True)
class ChartService:
    """One pod of our own chart, for kind, labs and small teams."""

    engine: Engine
    site: Site

    def provision(self, cluster: ClusterOutputs, config: Config) -> Binding:
        chart = words.CHARTS[self.engine]
        keys = words.of_engine(self.site.materials.root, self.engine)
        secret = self.site.secret(chart, f"{config.release}-{chart}-auth", {key: key for key in keys})
        own = chartvalues.of_engine(cluster.storage_class, chart, secret.name)
        release = self.site.release(chart, own, {}, [secret])
        host, port = self.site.host(chart), PORTS[self.engine]
        return Binding(
            kind=self.engine,
            provider="chart",
            host=host,
            port=port,
            endpoints=(f"{host}:{port}",),
            tls=Tls(),
            auth=AUTH[self.engine],
            user="",
            secret_ref=SecretRef(cluster.namespace, secret.name),
            database=DATABASES[self.engine],
            security="sasl_plaintext" if self.engine == "kafka" else "",
            depends_on=(secret, release),
        )


@dataclass(frozen=True, slots=True)
class ExternalService:
    """Somebody else's. Nothing is made: the configuration says where it is, and which Secret has its passwords."""

    engine: Engine

    def provision(self, cluster: ClusterOutputs, config: Config) -> Binding:
        settings = config.bindings[self.engine]
        brokers = settings.brokers if self.engine == "kafka" else (f"{settings.host}:{settings.port}",)
        host, _, port = brokers[0].rpartition(":")
        ref = SecretRef(cluster.namespace, settings.secret_name, (settings.secret_key,) if settings.secret_key else ())
        return Binding(
            kind=self.engine,
            provider="external",
            host=host,
            port=int(port),
            endpoints=brokers,
            tls=Tls("on" if _by_tls(self.engine, settings) else "off"),
            auth=_auth(self.engine, settings),
            user=settings.user,
            secret_ref=ref if settings.secret_name else None,
            database=settings.database if self.engine == "postgres" else DATABASES[self.engine],
            cidrs=settings.cidrs,
            security=settings.security,
        )


@dataclass(frozen=True, slots=True)
class EmbeddedService:
    """The local target's own: child processes on this machine. For the contract's sake; no stack has it."""

    engine: Engine

    def provision(self, cluster: ClusterOutputs, config: Config) -> Binding:
        port = PORTS[self.engine]
        return Binding(
            kind=self.engine,
            provider="embedded",
            host="127.0.0.1",
            port=port,
            endpoints=(f"127.0.0.1:{port}",),
            tls=Tls(),
            auth=AUTH[self.engine],
            user="",
            secret_ref=SecretRef(cluster.namespace, "files"),
            database=DATABASES[self.engine],
            security="sasl_plaintext" if self.engine == "kafka" else "",
        )


def _by_tls(engine: Engine, settings: BindingSettings) -> bool:
    """Kafka's way in says it."""
    return settings.security in ("ssl", "sasl_ssl", "aws_msk_iam") if engine == "kafka" else settings.tls


def _auth(engine: Engine, settings: BindingSettings) -> Auth:
    if engine != "kafka":
        return AUTH[engine]
    if settings.security in ("plaintext", "ssl"):
        return "none"
    return "iam" if settings.security == "aws_msk_iam" else AUTH[engine]
