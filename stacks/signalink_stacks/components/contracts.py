"""The two contracts of the Pulumi program: what a cluster gives, and what a service sees of a backing service.

Owns their shapes and the fixed keys of a service's environment; every provider of either makes these and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

import pulumi

from signalink_stacks.lib.settings import Config, Engine, Ingress

Text = pulumi.Input[str]
Identity = Literal["none", "pod-identity", "irsa"]
Auth = Literal["none", "password", "scram", "iam"]
BindingProvider = Literal["embedded", "chart", "operator", "aws", "external"]
MOUNT: Final = "/run/secrets/signalink"
"""Where a container finds the files of its secrets."""
Statement = Mapping[str, Any]
"""One statement of an IAM policy: Effect, Action, Resource."""


@dataclass(frozen=True, slots=True)
class ClusterOutputs:
    """A cluster that is there. `kubeconfig` is a secret; None: the stack's own settings name it."""

    name: Text
    provider: pulumi.ProviderResource
    kubeconfig: pulumi.Output[str] | None
    namespace: str
    storage_class: str
    ingress: Ingress
    identity: Identity
    registry: Text
    arch: Literal["amd64", "arm64"]
    unreachable_ok: bool
    resource: pulumi.Resource | None = None
    """What the cluster is in this program, for `deleted_with` and `depends_on`; None where it was there before."""
    ready: tuple[pulumi.Resource, ...] = ()
    """What is made in it before anything else."""
    cloud: Any = None
    """What only the components of that cloud read: its network, its account. None elsewhere."""


class Cluster(Protocol):
    """Who gives a cluster: kind, existing, eks."""

    def provision(self, config: Config) -> ClusterOutputs: ...


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Keys of one Secret in the platform's namespace. `keys` empty: one per principal, named as its file."""

    namespace: str
    name: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tls:
    """off, or on. `ca`: certificates of the server's authority, PEM; empty: the system's authorities."""

    mode: Literal["off", "on"] = "off"
    ca: str = ""
    config_map: str = ""
    """The ConfigMap in which services find `ca`, by the key ca.pem."""


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who prepares an engine of a cloud, where nobody is its super user: a Job with a role of its own."""

    user: str
    secret: Text
    """Where the cloud keeps its password: an address, not a secret."""
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """What services see of one backing service. No value here is a secret: `secret_ref` says where those are."""

    kind: Engine
    provider: BindingProvider
    host: Text
    port: int
    endpoints: tuple[Text, ...]
    """host:port of every address to begin with; one, but for a Kafka of several brokers."""
    tls: Tls
    auth: Auth
    user: str
    """Empty: every principal has its own, by its name, or as `users` says."""
    secret_ref: SecretRef | None
    database: str
    grants: Mapping[str, tuple[Statement, ...]] = field(default_factory=dict)
    """Principal -> IAM statements it needs to connect; empty where no cloud asks."""
    metrics: Text = ""
    """host:port that tells Prometheus about it; empty where it tells nobody."""
    region: str = ""
    cidrs: tuple[str, ...] = ()
    security: str = ""
    """Of Kafka: plaintext, ssl, sasl_plaintext, sasl_ssl, aws_msk_iam."""
    users: Mapping[str, str] = field(default_factory=dict)
    """Principal -> user, where names are not theirs alone (ElastiCache: one account, many stacks)."""
    cache: str = ""
    """Of ElastiCache: the replication group, whose name a login token carries."""
    administrator: Administrator | None = None
    """None where the engine comes with its accounts, or is somebody else's."""
    depends_on: tuple[pulumi.Resource, ...] = ()
    """What must be there before a service can use it, and goes after it."""

    def env(self, principal: str, role: str = "") -> dict[str, pulumi.Output[str]]:
        """The fixed keys of a service's environment. `role`: its Postgres role where that is not its name."""
        user = self.user or self.users.get(principal) or role or principal
        file = f"{MOUNT}/{self.kind}-{principal}"
        address = pulumi.Output.concat(self.host, ":", str(self.port))
        if self.kind == "postgres":
            found = {"POSTGRES_DSN": pulumi.Output.concat("postgresql://", user, "@", address, "/", self.database)}
        elif self.kind == "redis":
            scheme = "rediss" if self.tls.mode == "on" else "redis"
            found = {"REDIS_URL": pulumi.Output.concat(scheme, "://", user, "@", address, "/", self.database or "0")}
        else:
            brokers = pulumi.Output.all(*self.endpoints).apply(lambda every: ",".join(str(one) for one in every))
            found = {"KAFKA_BOOTSTRAP": brokers}
        found |= {
            f"{self.kind.upper()}_{key}": pulumi.Output.from_input(text) for key, text in self._signin(file).items()
        }
        return {f"SIGNALINK_{key}": value for key, value in found.items()}

    def _signin(self, file: str) -> dict[str, str]:
        """How a principal proves who it is: by the word in a file, or by its role and without one."""
        if self.auth != "iam":
            return {"PASSWORD_FILE": file}
        said = {"AWS_REGION": self.region}
        if self.kind == "kafka":
            return said | {"SECURITY": self.security}
        said |= {"AUTH": "iam"} | ({"TLS": "on"} if self.kind == "postgres" else {"CACHE": self.cache})
        return said | ({"CA_FILE": f"{MOUNT}/{self.kind}-ca.pem"} if self.tls.ca else {})


class BackingService(Protocol):
    """Who gives a Binding: chart, operator, aws, external."""

    def provision(self, cluster: ClusterOutputs, config: Config) -> Binding: ...
