"""Postgres by CloudNativePG and Kafka by Strimzi, whose operators are in the cluster already. Each gives a Binding.

What their resources say is `lib.engines`' matter; here they are made, with the Secrets of the platform's accounts.
"""

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from signalink_core import principals
from signalink_stacks.components.backing import AUTH, DATABASES
from signalink_stacks.components.contracts import Binding, ClusterOutputs, SecretRef, Tls
from signalink_stacks.components.platform import READY, SKIP, Words, WordsArgs
from signalink_stacks.components.preparation import Preparation, PreparationArgs
from signalink_stacks.components.site import Site
from signalink_stacks.lib import engines, words
from signalink_stacks.lib.bindingconfig import PORTS
from signalink_stacks.lib.settings import Config, Engine

ADMIN: Final = "postgres-admin"


@dataclass(frozen=True, slots=True)
class CustomArgs:
    """`objects`: name in the program -> (API version and kind, name in the cluster, spec), in their order."""

    namespace: str
    objects: tuple[tuple[str, tuple[str, str], str, dict[str, Any]], ...]
    labels: dict[str, str]
    extra: dict[str, str]
    wait: bool


class Operated(pulumi.ComponentResource):
    """Custom resources of somebody else's operator, waited for until they say Ready."""

    def __init__(self, name: str, args: CustomArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:backing:Operated", name, None, opts)
        for key, (version, kind), called, spec in args.objects:
            kubernetes.apiextensions.CustomResource(
                f"{name}-{key}",
                api_version=version,
                kind=kind,
                metadata=ObjectMetaArgs(
                    name=called,
                    namespace=args.namespace,
                    labels={**args.labels, **args.extra},
                    annotations=READY if args.wait and kind != "KafkaNodePool" else SKIP,
                ),
                spec=spec,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


@dataclass(frozen=True, slots=True)
class OperatorService:
    """Runs a backing service by its operator."""

    engine: Engine
    site: Site

    def provision(self, cluster: ClusterOutputs, config: Config) -> Binding:
        chart = words.CHARTS[self.engine]
        keys = words.of_engine(self.site.materials.root, self.engine)
        secret = self.site.secret(chart, f"{config.release}-{chart}-auth", {key: key for key in keys})
        make = self._postgres if self.engine == "postgres" else self._kafka
        host, made = make(cluster, config, secret.name)
        port = PORTS[self.engine]
        return Binding(
            kind=self.engine,
            provider="operator",
            host=host,
            port=port,
            endpoints=(f"{host}:{port}",),
            tls=Tls(),
            auth=AUTH[self.engine],
            user="",
            secret_ref=SecretRef(cluster.namespace, secret.name),
            database=DATABASES[self.engine],
            security="sasl_plaintext" if self.engine == "kafka" else "",
            depends_on=(secret, *made),
        )

    def _postgres(self, cluster: ClusterOutputs, config: Config, secret: str) -> tuple[str, list[pulumi.Resource]]:
        name = f"{config.release}-postgres"
        host = f"{name}-rw.{cluster.namespace}.svc.cluster.local"
        account = {"username": pulumi.Output.from_input("postgres"), "password": self.site.materials.word(ADMIN)}
        arguments = WordsArgs(cluster.namespace, f"{name}-login", account, self.site.labels, "kubernetes.io/basic-auth")
        login = Words("postgres-login", arguments, self.site.options())
        spec = engines.postgres(config.bindings["postgres"], f"{name}-login", cluster.storage_class)
        objects = (("cluster", engines.POSTGRES, name, spec),)
        made = Operated("postgres-operated", self._arguments(cluster, objects), self.site.options([login]))
        wanted = PreparationArgs(
            namespace=cluster.namespace,
            name=f"{name}-bootstrap",
            image=self.site.image("signalink/api"),
            pull="IfNotPresent" if config.images.dev else "Always",
            words=("postgres", "--timeout=120"),
            env={
                "SIGNALINK_POSTGRES_DSN": f"postgresql://postgres@{host}:5432/postgres",
                "SIGNALINK_POSTGRES_PASSWORD_FILE": f"/run/secrets/signalink/{ADMIN}",
            },
            secret=secret,
            labels=self.site.labels,
            wait=config.cluster.wait,
        )
        return host, [login, made, Preparation("postgres-bootstrap", wanted, self.site.options([made]))]

    def _kafka(self, cluster: ClusterOutputs, config: Config, secret: str) -> tuple[str, list[pulumi.Resource]]:
        name, settings = f"{config.release}-kafka", config.bindings["kafka"]
        nodes = ("pool", engines.POOL, f"{name}-nodes", engines.pool(settings, cluster.storage_class))
        objects = (nodes, ("cluster", engines.KAFKA, name, engines.kafka(settings)))
        made = Operated("kafka-operated", self._arguments(cluster, objects, name), self.site.options())
        accounts = tuple(
            (principal, engines.USER, f"{principal}", engines.kafka_user(principal, secret))
            for principal in principals.kafka_principals()
        )
        users = Operated("kafka-users", self._arguments(cluster, accounts, name), self.site.options([made]))
        return f"{name}-kafka-bootstrap.{cluster.namespace}.svc.cluster.local", [made, users]

    def _arguments(
        self,
        cluster: ClusterOutputs,
        objects: tuple[tuple[str, tuple[str, str], str, dict[str, Any]], ...],
        kafka: str = "",
    ) -> CustomArgs:
        extra = {"strimzi.io/cluster": kafka} if kafka else {}
        return CustomArgs(cluster.namespace, objects, self.site.labels, extra, self.site.config.cluster.wait)
