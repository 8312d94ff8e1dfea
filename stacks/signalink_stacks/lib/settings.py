"""What a stack's configuration says, checked: the frozen values that layers and components get. Reads nothing.

How they are read, and which mistakes are found, is `config`'s matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal

Target = Literal["kind", "existing", "eks", "aws-lite"]
Profile = Literal["small", "standard", "lite", "full", "aws-lite"]
Engine = Literal["postgres", "redis", "kafka"]
Provider = Literal["chart", "operator", "aws", "external"]
TARGETS: Final[tuple[Target, ...]] = ("kind", "existing", "eks", "aws-lite")
DATABASE: Final = "signalink"
"""Of Postgres, wherever we make it."""
PROFILES: Final[Mapping[Target, tuple[Profile, ...]]] = {
    "kind": ("small", "standard"),
    "existing": ("standard", "small"),
    "eks": ("lite", "full"),
    "aws-lite": ("aws-lite",),
}
"""Profiles of a target, its default first."""
ENGINES: Final[tuple[Engine, ...]] = ("postgres", "redis", "kafka")
PROVIDERS: Final[Mapping[Engine, tuple[Provider, ...]]] = {
    "postgres": ("chart", "operator", "aws", "external"),
    "redis": ("chart", "aws", "external"),
    "kafka": ("chart", "operator", "aws", "external"),
}
"""Who can run each. No operator for Redis: valkey-operator calls itself not ready for production."""
LIMITS_USD: Final[Mapping[Profile, int]] = {"small": 0, "standard": 0, "lite": 350, "full": 1000, "aws-lite": 20}
"""Most a month may cost, unless the stack says otherwise."""


@dataclass(frozen=True, slots=True)
class Ingress:
    """How people reach the platform. `class_name` empty: the default. `base_url` empty: this machine's ports."""

    mode: Literal["none", "ingress", "gateway", "alb"] = "none"
    class_name: str = ""
    base_url: str = ""
    tls_secret: str = ""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Which cluster, and where in it. `wait` off: objects are made and not waited for, for a cluster without nodes."""

    namespace: str = "signalink"
    kubeconfig: str = ""
    context: str = ""
    storage_class: str = ""
    ingress: Ingress = Ingress()
    wait: bool = True
    unreachable_ok: bool = False
    """Forget what is in a cluster that does not answer, instead of failing: for one that is gone, and never else.

    A refresh from where it is merely not reached would drop everything in it from the state.
    """


@dataclass(frozen=True, slots=True)
class BindingSettings:
    """Who runs a backing service, and where it is if somebody else does. Sizes are for the providers that make one.

    Which of these is read of which engine with which provider: `bindingconfig.TAKEN`.
    """

    provider: Provider = "chart"
    host: str = ""
    port: int = 0
    brokers: tuple[str, ...] = ()
    tls: bool = False
    security: str = ""
    database: str = DATABASE
    user: str = ""
    secret_name: str = ""
    secret_key: str = ""
    cidrs: tuple[str, ...] = ()
    instance: str = ""
    """Type of a machine at the cloud (`db.t4g.micro`)."""
    storage_gib: int = 0
    """Of its volume; 0 where no volume is made, or its size is the chart's matter."""
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Images:
    """Where images come from. `dev`: as they were loaded into a kind cluster, ours by `tag`."""

    registry: str = ""
    tag: str = ""
    dev: bool = False
    architecture: Literal["amd64", "arm64"] = "amd64"
    """What our images were built on, and run on: each is of one architecture."""
    map: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Nodes:
    """Machines of an EKS cluster. `auto`: EKS Auto Mode makes them; `managed`: a node group of `least` to `most`."""

    mode: Literal["auto", "managed"] = "managed"
    type: str = "t3.medium"
    least: int = 3
    most: int = 6


@dataclass(frozen=True, slots=True)
class Aws:
    """The cloud's side. `account` empty: any; else the program refuses every other one."""

    region: str = "us-east-1"
    account: str = ""
    domain: str = ""
    """Where people reach it; empty: the load balancer's own name, without a certificate of ours."""
    zone: str = ""
    """Id of the hosted zone of `domain` at Route 53; empty: the DNS records are printed."""
    cidr: str = "10.42.0.0/16"
    zones: int = 2
    kubernetes: str = "1.35"
    endpoint_cidrs: tuple[str, ...] = ()
    """Who may reach the cluster's API from outside; empty: the stack names a kubeconfig of its own way there."""
    nodes: Nodes = Nodes()
    instance: str = "t3.micro"
    """Of aws-lite."""
    architecture: Literal["amd64", "arm64"] = "amd64"
    """Of the machines that run our code: `instance`, or the nodes."""
    alarm_email: str = ""
    """Who the budget's alarm writes to."""
    destroy_after_hours: int = 12
    """aws-lite: the machine ends itself after so long."""
    backup_days: int = 7
    deletable: bool = False
    """Nothing of the stack is kept from being deleted any more, in production too: what comes before a destroy."""
    source: str = ""
    """aws-lite: the https address of the git repository that the machine installs from."""
    revision: str = "main"
    """aws-lite: branch, tag or commit of it."""
    admins: tuple[str, ...] = ()
    """ARNs of roles and users that administer the cluster, besides who made it."""
    viewers: tuple[str, ...] = ()
    """ARNs of roles and users that may read everything in the cluster, Secrets too: what a look for drift takes."""
    permissions_boundary: str = ""
    """ARN of the managed policy that bounds every role of the stack; empty: none does."""
    ca_file: str = ""
    """PEM file with the authority of RDS, where the region's is not known here; empty: it is."""
    controller_chart: str = ""
    """Folder or address of the AWS Load Balancer Controller's chart, for mirrors; empty: the public one."""


@dataclass(frozen=True, slots=True)
class Config:
    """All that one stack says. `secrets` holds names only: the values stay with Pulumi."""

    stack: str
    target: Target
    profile: Profile
    owner: str
    expires: date | None
    max_usd: int
    environment: Literal["local", "prod"]
    cluster: ClusterSettings
    bindings: Mapping[Engine, BindingSettings]
    images: Images
    observability: bool
    values: Mapping[str, Mapping[str, Any]]
    """Chart -> values of it that this stack sets."""
    aws: Aws | None
    secrets: frozenset[str] = frozenset()

    @property
    def release(self) -> str:
        """The name that all charts are installed under."""
        return "signalink"

    @property
    def in_cloud(self) -> bool:
        """Whether somebody pays for it by the hour."""
        return self.target in ("eks", "aws-lite")
