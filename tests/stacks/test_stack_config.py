"""A stack's configuration says every mistake at once: the key, what was found, what may stand there, a fix."""

# ruff: noqa: E501 - the table shows whole messages, one mistake a line

import re
from datetime import date
from typing import Any

import pytest
import yaml

from signalink_core.errors import ConfigurationError
from signalink_stacks.lib import chartfolder, config, names, tags
from signalink_stacks.lib.images import root
from signalink_stacks.lib.reading import Fault
from signalink_stacks.lib.settings import LIMITS_USD, PROFILES, TARGETS

EXISTING: dict[str, Any] = {"target": "existing", "cluster": {"context": "lab"}}
OPEN: dict[str, Any] = {"region": "eu-central-1", "endpointCidrs": ["203.0.113.7/32"]}
EKS: dict[str, Any] = {"target": "eks", "owner": "ada", "expires": "2027-01-31", "aws": OPEN}
ROLE = "arn:aws:iam::123456789012:role/drift"
LITE: dict[str, Any] = EKS | {
    "target": "aws-lite",
    "aws": {"region": "eu-central-1", "source": "https://git.example/signalink.git"},
}
ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
DIGEST = "sha256:" + "a" * 64


def aws(**more: Any) -> dict[str, Any]:
    return EKS | {"aws": EKS["aws"] | more}


def cluster(**more: Any) -> dict[str, Any]:
    return EXISTING | {"cluster": {"context": "lab", **more}}


def binding(engine: str, **more: Any) -> dict[str, Any]:
    return EXISTING | {"bindings": {engine: more}}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    (EKS | {"images": {"registry": "1234.example.org"}}, "images.registry: found '1234.example.org', expected the stack's own, ACCOUNT.dkr.ecr.eu-central-1.amazonaws.com/signalink-lab-images"),
    (EKS | {"images": {"registry": ECR}}, "fix: `make publish REGISTRY=...` with the address that `make registry STACK=lab` says"),
    (aws(account="123456789012") | {"images": {"registry": f"210987654321{ECR[12:]}/signalink-lab-images"}}, f"expected the stack's own, {ECR}/signalink-lab-images"),
    ({}, "target: found nothing, expected one of kind, existing, eks, aws-lite; fix: set it"),
    ({"target": "exsting"}, "target: found 'exsting', expected one of kind, existing, eks, aws-lite; fix: did you mean existing?"),
    ({"target": "existing"}, "cluster.context: found nothing, expected text; fix: set it"),
    (EXISTING | {"profile": "full"}, "profile: found 'full', expected one of standard, small; fix: correct profile"),
    (EXISTING | {"profil": "small"}, "profil: found 'small', expected a known key"),
    (EXISTING | {"profil": "small"}, "fix: did you mean profile?"),
    (EXISTING | {"owner": "a b"}, "owner: found 'a b', expected who pays"),
    ({k: v for k, v in EKS.items() if k != "owner"}, "owner: found nothing, expected who pays"),
    ({k: v for k, v in EKS.items() if k != "expires"}, "expires: found nothing, expected a day as YYYY-MM-DD, or never; fix: set it"),
    (EKS | {"expires": "soon"}, "expires: found 'soon', expected a day as YYYY-MM-DD, or never"),
    (EKS | {"expires": "2027-02-30"}, "expires: found '2027-02-30', expected a day of the calendar as YYYY-MM-DD"),
    (EXISTING | {"maxUsd": -1}, "maxUsd: found -1, expected a whole number from 0 to 100000; fix: correct maxUsd"),
    (EXISTING | {"maxUsd": True}, "maxUsd: found True, expected a whole number"),
    (EXISTING | {"environment": "dev"}, "environment: found 'dev', expected one of local, prod"),
    (EXISTING | {"observability": "perhaps"}, "observability: found 'perhaps', expected true or false"),
    (EXISTING | {"cluster": "lab"}, "cluster: found 'lab', expected a table of keys and values; fix: correct cluster"),
    (cluster(context="my-prod"), "cluster.context: found 'my-prod', expected one that is not called like production; fix: set cluster.yes"),
    (cluster(namespace="Big"), "cluster.namespace: found 'Big', expected a DNS label"),
    (cluster(kubeconfig=3), "cluster.kubeconfig: found 3, expected a path"),
    (cluster(storageClass="a_b"), "cluster.storageClass: found 'a_b', expected the name of a StorageClass"),
    (cluster(wait="no"), "cluster.wait: found 'no', expected true or false"),
    (cluster(unreachableOk=1.5), "cluster.unreachableOk: found 1.5, expected true or false"),
    (cluster(contxt="x"), "cluster.contxt: found 'x', expected a known key"),
    (EKS | {"cluster": {"context": "x"}}, "cluster.kubeconfig: found nothing, expected both kubeconfig and context, or neither"),
    (EKS | {"cluster": {"kubeconfig": "x"}}, "cluster.context: found nothing, expected both kubeconfig and context, or neither"),
    (LITE | {"cluster": {"context": "x"}}, "cluster.kubeconfig: found nothing, expected nothing with target aws-lite"),
    (cluster(ingress={"mode": "alb"}), "cluster.ingress.mode: found 'alb', expected one of none, ingress, gateway"),
    (EKS | {"cluster": {"ingress": {"mode": "ingress"}}}, "cluster.ingress.mode: found 'ingress', expected one of none, alb"),
    (cluster(ingress={"mode": "ingress"}), "cluster.ingress.baseUrl: found nothing, expected the address that people use, with mode ingress"),
    (cluster(ingress={"baseUrl": "chat"}), "cluster.ingress.baseUrl: found 'chat', expected an address with http:// or https://"),
    (cluster(ingress={"mode": "gateway", "baseUrl": "http://a.b"}), "cluster.ingress.class: found nothing, expected the name of the Gateway"),
    (cluster(ingress={"class": "a b"}), "cluster.ingress.class: found 'a b', expected the name of a class, or of a Gateway"),
    (cluster(ingress={"tlsSecret": "a b"}), "cluster.ingress.tlsSecret: found 'a b', expected the name of a Secret"),
    (cluster(ingress={"tls": "a"}), "cluster.ingress.tls: found 'a', expected a known key"),
    (EXISTING | {"bindings": {"mysql": {}}}, "bindings.mysql: found {}, expected a known key (kafka, postgres, redis)"),
    (binding("redis", provider="operator"), "bindings.redis.provider: found 'operator', expected one of chart, aws, external"),
    (binding("postgres", provider="aws"), "bindings.postgres.provider: found 'aws', expected chart, operator or external with target existing"),
    (binding("postgres", provider="external", secret={"name": "s"}), "bindings.postgres.host: found nothing, expected where it is, with provider external"),
    (binding("kafka", provider="external", secret={"name": "s"}), "bindings.kafka.brokers: found nothing, expected where it is, with provider external"),
    (binding("postgres", provider="external", host="db"), "bindings.postgres.secret: found nothing, expected name of the Secret"),
    (binding("postgres", host="db"), "bindings.postgres.host: found 'db', expected nothing with provider chart, which knows"),
    (binding("postgres", host="d b"), "bindings.postgres.host: found 'd b', expected a host name"),
    (binding("postgres", port=0), "bindings.postgres.port: found 0, expected a whole number from 1 to 65535"),
    (binding("kafka", brokers="k:9092"), "bindings.kafka.brokers: found 'k:9092', expected a list, each host:port"),
    (binding("kafka", brokers=["k"]), "bindings.kafka.brokers[0]: found 'k', expected host:port"),
    (binding("postgres", tls="on"), "bindings.postgres.tls: found 'on', expected true or false"),
    (binding("kafka", security="sasl"), "bindings.kafka.security: found 'sasl', expected one of plaintext, ssl, sasl_plaintext, sasl_ssl, aws_msk_iam; fix: did you mean ssl?"),
    (binding("postgres", security="ssl"), "bindings.postgres.security: found 'ssl', expected a known key"),
    (binding("postgres", database="a b"), "bindings.postgres.database: found 'a b', expected the name of a database"),
    (binding("postgres", user="a b"), "bindings.postgres.user: found 'a b', expected the name of a user"),
    (binding("postgres", secret={"name": "a b"}), "bindings.postgres.secret.name: found 'a b', expected the name of a Secret in the namespace"),
    (binding("postgres", secret={"key": "a b"}), "bindings.postgres.secret.key: found 'a b', expected a key of that Secret"),
    (binding("postgres", secret={"value": "x"}), "bindings.postgres.secret.value: found 'x', expected a known key"),
    (binding("postgres", cidrs=["ten"]), "bindings.postgres.cidrs[0]: found 'ten', expected a network such as 10.0.0.0/16"),
    (binding("postgres", cidrs=["10.0.0.1/16"]), "expected networks such as 10.0.0.0/16; fix: correct 10.0.0.1/16"),
    (binding("postgres", instance="big"), "bindings.postgres.instance: found 'big', expected a machine's type"),
    (binding("postgres", storageGib="x"), "bindings.postgres.storageGib: found 'x', expected a whole number from 1 to 16384"),
    (EKS | {"bindings": {"postgres": {"storageGib": 19}}}, "bindings.postgres.storageGib: found 19, expected a whole number from 20 to 65536"),
    (EKS | {"bindings": {"postgres": {"storageGib": 65537}}}, "bindings.postgres.storageGib: found 65537, expected a whole number from 20 to 65536"),
    (EKS | {"bindings": {"postgres": {"provider": "chart", "storageGib": 16385}}}, "bindings.postgres.storageGib: found 16385, expected a whole number from 1 to 16384"),
    (binding("postgres", storageGib=20), "bindings.postgres.storageGib: found 20, expected nothing with provider chart, which does not read it; fix: remove it; what the chart asks for, when it is made, is values.postgres.persistence.size"),
    (EKS | {"bindings": {"kafka": {"storageGib": 50}}}, "bindings.kafka.storageGib: found 50, expected nothing with provider chart, which does not read it; fix: remove it; what the chart asks for, when it is made, is values.kafka.persistence.size"),
    (EKS | {"profile": "full", "bindings": {"kafka": {"storageGib": 50}}}, "bindings.kafka.storageGib: found 50, expected nothing with provider aws, which does not read it; fix: remove it"),
    (binding("redis", storageGib=20), "bindings.redis.storageGib: found 20, expected a known key"),
    (binding("kafka", instance="db.t4g.micro"), "bindings.kafka.instance: found 'db.t4g.micro', expected a known key"),
    (binding("kafka", tls=True), "bindings.kafka.tls: found True, expected a known key"),
    (binding("redis", database="chat"), "bindings.redis.database: found 'chat', expected a known key"),
    (binding("postgres", instance="db.t4g.micro"), "bindings.postgres.instance: found 'db.t4g.micro', expected nothing with provider chart"),
    (binding("postgres", replicas=3), "bindings.postgres.replicas: found 3, expected nothing with provider chart, which does not read it"),
    (EKS | {"bindings": {"postgres": {"replicas": 2}}}, "bindings.postgres.replicas: found 2, expected nothing with provider aws"),
    (EKS | {"bindings": {"postgres": {"tls": False}}}, "bindings.postgres.tls: found False, expected nothing with provider aws"),
    (binding("postgres", tls=True), "bindings.postgres.tls: found True, expected nothing with provider chart, which does not read it; fix: remove it"),
    (binding("postgres", provider="operator", database="chat"), "bindings.postgres.database: found 'chat', expected nothing with provider operator"),
    (binding("postgres", secret={"name": "s"}), "bindings.postgres.secret: found {'name': 's'}, expected nothing with provider chart, which does not read it; fix: remove it, or use external"),
    (binding("kafka", security="sasl_ssl"), "bindings.kafka.security: found 'sasl_ssl', expected nothing with provider chart"),
    (binding("postgres", replicas=12), "bindings.postgres.replicas: found 12, expected a whole number from 1 to 9"),
    (EXISTING | {"images": {"registry": "a b"}}, "images.registry: found 'a b', expected a registry's host and path"),
    (EXISTING | {"images": {"tag": "-x"}}, "images.tag: found '-x', expected a tag"),
    (EXISTING | {"images": {"dev": 2}}, "images.dev: found 2, expected true or false"),
    (EXISTING | {"images": {"map": {"a": 1}}}, "images.map.a: found 1, expected text; fix: put it in quotes"),
    (EXISTING | {"images": {"digests": {"a": "sha256:1"}}}, "images.digests.a: found 'sha256:1', expected sha256: and 64 hex digits; fix: copy it whole"),
    (EKS | {"images": {"dev": True}}, "images.dev: found True, expected false where machines pull their images"),
    (EXISTING | {"images": {"pull": "x"}}, "images.pull: found 'x', expected a known key"),
    (EXISTING | {"values": {"apii": {}}}, "values.apii: found {}, expected global or a chart (alertmanager, analytics, api,"),
    (EXISTING | {"values": {"apii": {}}}, "fix: did you mean api?"),
    (EXISTING | {"values": {"api": 1}}, "values.api: found 1, expected a table of keys and values"),
    (EXISTING | {"values": {"api": {"migrations": {"mode": "hook"}}}}, "values.api.migrations.mode: found 'hook', expected job or off: a stack runs no hook, and pods would wait for their schemas for ever; fix: leave it at job, the default"),
    (EKS | {"values": {"relay": {"migrations": {"mode": "hook"}}}}, "values.relay.migrations.mode: found 'hook'"),
    (EXISTING | {"secrets": "x"}, "secrets: found"),
    (EXISTING | {"aws": {"region": "eu-central-1"}}, "aws: found {'region': 'eu-central-1'}, expected nothing with target existing"),
    (EKS | {"aws": {"region": "eu-central-1"}}, "aws.endpointCidrs: found nothing, expected who may reach the cluster's API: the same update puts the charts into it; fix: name the address from which you and the runner go out, as /32; or cluster.kubeconfig and cluster.context"),
    (aws(viewers=["ada"]), "aws.viewers[0]: found 'ada', expected the ARN of a role or user"),
    (aws(viewers=[ROLE], admins=[ROLE]), "expected nobody that admins names too; fix: take arn:aws:iam::123456789012:role/drift out of one of them"),
    (EKS | {"aws": {}}, "aws.region: found nothing, expected a region such as us-east-1; fix: set it"),
    (aws(region="europe"), "aws.region: found 'europe', expected a region such as us-east-1"),
    (aws(account=123), "aws.account: found 123, expected 12 digits in quotes"),
    (aws(domain="Chat"), "aws.domain: found 'Chat', expected a domain in small letters"),
    (aws(zone="x", domain="a.bc"), "aws.zone: found 'x', expected the id of a hosted zone"),
    (aws(zone="Z123456"), "aws.domain: found nothing, expected the domain of that zone, with zone; fix: set it"),
    (LITE | {"aws": {**LITE["aws"], "domain": "a.bc"}}, "aws.zone: found nothing, expected the hosted zone of the domain: the machine proves there that the name is its own, for its certificate; fix: set it, or remove domain"),
    (aws(cidr="big"), "aws.cidr: found 'big', expected a network such as 10.42.0.0/16"),
    (aws(cidr="10.42.0.1/16"), "aws.cidr: found '10.42.0.1/16', expected networks whose host bits are zero"),
    (aws(cidr="10.42.0.0/24"), "aws.cidr: found '10.42.0.0/24', expected a private /16, of which each subnet takes a /20"),
    (aws(zones=1), "aws.zones: found 1, expected a whole number from 2 to 3"),
    (aws(kubernetes=1.34), "aws.kubernetes: found 1.34, expected a minor version in quotes"),
    (aws(endpointCidrs=["me"]), "aws.endpointCidrs[0]: found 'me', expected a network such as 203.0.113.7/32"),
    (aws(endpointCidrs=["0.0.0.0/0"]), "expected who may reach the API, not the whole world; fix: name your own address as /32"),
    (EKS | {"target": "aws-lite"}, "aws.source: found nothing, expected https:// address of a repository; fix: set it"),
    (aws(source="git@host:x"), "aws.source: found 'git@host:x', expected https:// address of a repository"),
    (aws(revision="-x"), "aws.revision: found '-x', expected a branch, tag or commit"),
    (aws(admins=["me"]), "aws.admins[0]: found 'me', expected the ARN of a role or user"),
    (aws(permissionsBoundary="mine"), "aws.permissionsBoundary: found 'mine', expected the ARN of a managed policy"),
    (aws(account="123456789012", permissionsBoundary="arn:aws:iam::999999999999:policy/b"), "expected a policy of the account 123456789012; fix: a boundary is of the role's own account"),
    (aws(controllerChart="a b"), "aws.controllerChart: found 'a b', expected a folder or address of a chart"),
    (aws(nodes={"mode": "group"}), "aws.nodes.mode: found 'group', expected one of auto, managed"),
    (aws(nodes={"type": "big"}), "aws.nodes.type: found 'big', expected a machine's type such as t3.medium"),
    (aws(nodes={"least": 0}), "aws.nodes.least: found 0, expected a whole number from 1 to 100"),
    (aws(nodes={"most": 101}), "aws.nodes.most: found 101, expected a whole number from 1 to 100"),
    (aws(nodes={"least": 9}), "aws.nodes.least: found 9, expected at most 6, as nodes.most says"),
    (aws(nodes={"min": 9}), "aws.nodes.min: found 9, expected a known key (least, mode, most, type)"),
    (LITE | {"aws": {**LITE["aws"], "instance": "t3.large"}}, "images: found no registry with our images, expected images.registry and images.digests: t3.large runs pods"),
    (LITE | {"aws": {**LITE["aws"], "instance": "t3.large", "cidr": "172.30.0.0/16"}}, "aws.cidr: found '172.30.0.0/16', expected one without 172.30.0.0/16: t3.large runs pods there; fix: choose another network"),
    (LITE | {"aws": {**LITE["aws"], "instance": "t3.large", "cidr": "172.31.0.0/16"}}, "aws.cidr: found '172.31.0.0/16', expected one without 172.31.0.0/16"),
    (LITE | {"aws": {**LITE["aws"], "instance": "t3.nano"}}, "aws.instance: found 't3.nano', expected a machine with 1 GiB or more"),
    (LITE | {"aws": {**LITE["aws"], "instance": "m7i.large"}}, "aws.instance: found 'm7i.large', expected a machine with 1 GiB or more"),
    (aws(instance="small"), "aws.instance: found 'small', expected a machine's type such as t3.micro"),
    (aws(alarmEmail="ada"), "aws.alarmEmail: found 'ada', expected an e-mail address"),
    (aws(destroyAfterHours=0), "aws.destroyAfterHours: found 0, expected a whole number from 1 to 720"),
    (aws(backupDays=36), "aws.backupDays: found 36, expected a whole number from 0 to 35"),
    (aws(nodes={"type": "t4g.medium"}), "aws.nodes.type: found 't4g.medium', expected machines of amd64, as images.architecture says, not of arm64; fix: choose such a type, or build the images on arm64 and set images.architecture to arm64"),
    (EKS | {"images": {"architecture": "arm64"}}, "aws.nodes.type: found 't3.medium', expected machines of arm64"),
    (aws(nodes={"mode": "auto", "type": "t4g.medium"}) | {"images": {"architecture": "arm64"}}, "aws.nodes.mode: found 'auto', expected machines of arm64, as images.architecture says, not of amd64"),
    (LITE | {"aws": LITE["aws"] | {"instance": "t4g.large"}}, "aws.instance: found 't4g.large', expected machines of amd64"),
    (EXISTING | {"images": {"architecture": "i386"}}, "images.architecture: found 'i386', expected one of amd64, arm64"),
    (aws(deletable="soon"), "aws.deletable: found 'soon', expected true or false"),
    (aws(repository="ada/chat"), "aws.repository: found 'ada/chat', expected nothing: no part of a stack ever let a repository deploy; fix: remove it; `make trust ... REPOSITORY=OWNER/NAME`"),
    (aws(vpc="x"), "aws.vpc: found 'x', expected a known key"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "line"), MISTAKES, ids=[line[:60] for _, line in MISTAKES])
def test_a_mistake_is_told_with_its_key_what_was_found_what_is_expected_and_a_fix(
    raw: dict[str, Any], line: str
) -> None:
    _, faults = config.read("lab", raw, charts=chartfolder.charts(root()))
    assert any(line in str(fault) for fault in faults), [str(fault) for fault in faults]
    assert all(re.fullmatch(r"\S+: found .+, expected .+; fix: .+", str(fault), re.DOTALL) for fault in faults)


def test_seven_mistakes_are_seven_lines_of_one_error() -> None:
    raw = {
        "target": "eks",
        "owner": "a b",
        "expires": "soon",
        "maxUsd": "much",
        "bindings": {"redis": {"provider": "operator"}},
        "images": {"dev": True},
        "aws": OPEN | {"region": "here", "nodez": {}},
    }
    with pytest.raises(ConfigurationError) as caught:
        config.parse("lab", raw)
    lines = [line for line in str(caught.value).splitlines() if line.startswith("  ")]
    keys = [line.strip().partition(":")[0] for line in lines]
    assert keys == ["owner", "expires", "maxUsd", "bindings.redis.provider", "images.dev", "aws.region", "aws.nodez"]
    assert "has 7 mistakes" in str(caught.value)
    assert "stacks/config/Pulumi.lab.yaml" in str(caught.value)


@pytest.mark.parametrize("stack", ["a" * 33, "Lab", "lab_1", "-lab"])
def test_a_stack_at_a_cloud_has_a_name_that_its_names_there_can_begin_with(stack: str) -> None:
    for raw in (EKS, LITE):
        _, faults = config.read(stack, raw)
        assert [fault.key for fault in faults] == ["stack"]
        assert "at most 32 small letters, digits and -" in str(faults[0])
    assert config.read("a" * 32, EKS)[1] == []
    assert config.read(stack, EXISTING)[1] == []


def test_values_of_secrets_stand_in_no_error() -> None:
    raw = EXISTING | {"secrets": {"postgres-api": "canary-3f1"}, "profil": "x", "aws": {"a": 1}}
    with pytest.raises(ConfigurationError) as caught:
        config.parse("lab", raw)
    assert "canary-3f1" not in str(caught.value)
    _, faults = config.read("lab", EXISTING | {"secrets": "canary-3f1"})
    assert faults and "canary-3f1" not in str(faults[0])


@pytest.mark.parametrize("target", TARGETS)
def test_the_defaults_of_every_target_and_profile_are_right(target: str) -> None:
    base = {"kind": {"target": "kind"}, "existing": EXISTING, "eks": EKS, "aws-lite": LITE}[target]
    assert config.parse("lab", base).profile == PROFILES[target][0]  # type: ignore[index]
    for profile in PROFILES[target]:  # type: ignore[index]
        found = config.parse("lab", base | {"profile": profile})
        assert found.max_usd == LIMITS_USD[profile]
        assert (found.aws is not None) == found.in_cloud
        assert found.images.dev == (target == "kind")


def test_a_setting_of_a_binding_is_taken_by_who_reads_it() -> None:
    sizes = {"postgres": {"storageGib": 30, "instance": "db.m7g.large"}, "redis": {"replicas": 3}}
    assert config.read("lab", EKS | {"bindings": sizes})[1] == []
    operated = {"provider": "operator", "storageGib": 30, "replicas": 3}
    assert config.read("lab", EXISTING | {"bindings": {"postgres": operated, "kafka": operated}})[1] == []
    theirs = {"provider": "external", "secret": {"name": "s", "key": "k"}, "user": "u", "cidrs": ["10.0.0.0/8"]}
    server = theirs | {"host": "h", "port": 1, "tls": True}
    kafka = theirs | {"brokers": ["h:1"], "security": "sasl_ssl"}
    outside = {"postgres": server | {"database": "chat"}, "redis": server, "kafka": kafka}
    assert config.read("lab", EXISTING | {"bindings": outside})[1] == []


def test_eks_lite_runs_kafka_by_its_chart_and_full_by_msk() -> None:
    providers = {
        profile: [one.provider for one in config.parse("lab", EKS | {"profile": profile}).bindings.values()]
        for profile in ("lite", "full")
    }
    assert providers == {"lite": ["aws", "aws", "chart"], "full": ["aws", "aws", "aws"]}


def test_machines_and_images_of_one_architecture_go_together() -> None:
    arm = {"images": {"architecture": "arm64"}}
    assert config.read("lab", aws(nodes={"type": "t4g.medium"}) | arm)[1] == []
    assert config.read("lab", aws(nodes={"mode": "auto", "type": "t4g.medium"}))[1] == []
    small = LITE | {"aws": LITE["aws"] | {"instance": "t4g.micro"}}
    assert config.read("lab", small)[1] == [], "what is no image is built on the machine itself"


def test_a_way_of_ones_own_to_the_cluster_needs_no_open_one() -> None:
    own = {"aws": {"region": "eu-central-1"}, "cluster": {"kubeconfig": "k", "context": "vpn"}}
    assert config.read("lab", EKS | own)[1] == []


@pytest.mark.parametrize("target", TARGETS)
def test_a_cluster_that_does_not_answer_is_not_forgotten_unless_that_is_said(target: str) -> None:
    """A refresh from where the cluster is not reached took everything in it out of the state."""
    base = {"kind": {"target": "kind"}, "existing": EXISTING, "eks": EKS, "aws-lite": LITE}[target]
    assert config.parse("lab", base).cluster.unreachable_ok is False
    said = base.get("cluster", {}) | {"unreachableOk": True}
    assert config.parse("lab", base | {"cluster": said}).cluster.unreachable_ok is True


def test_words_of_the_shell_are_read_as_what_they_mean() -> None:
    found = config.parse("lab", EXISTING | {"maxUsd": "12", "observability": "false"})
    assert (found.max_usd, found.observability) == (12, False)


@pytest.mark.parametrize("target", TARGETS)
def test_the_configuration_in_the_repository_lacks_only_what_nobody_can_know(target: str) -> None:
    document = yaml.safe_load((root() / f"stacks/config/Pulumi.{target}.yaml").read_text())
    raw = {key.removeprefix("signalink:"): value for key, value in document["config"].items()}
    _, faults = config.read(target, raw)
    expected = {"kind": [], "existing": ["cluster.context"], "aws-lite": ["owner", "expires", "aws.source"]}.get(
        target, ["owner", "expires", "aws.endpointCidrs"]
    )
    assert [fault.key for fault in faults] == expected


def test_a_fault_reads_as_one_line() -> None:
    assert str(Fault("a.b", "'x'", "y", "z")) == "a.b: found 'x', expected y; fix: z"


def test_names_fit_and_stay_apart() -> None:
    assert names.name("lab", "api") == "signalink-lab-api"
    assert names.name("Lab_1", "api..x") == "signalink-lab-1-api-x"
    long = [names.name("a" * 60, part, most=32) for part in ("api", "gateway")]
    assert all(len(one) <= 32 for one in long) and long[0] != long[1]


def test_tags_say_stack_owner_and_end() -> None:
    assert tags.tags(config.parse("lab", EKS), Name="x") == {
        tags.STACK: "lab",
        tags.OWNER: "ada",
        tags.EXPIRES: date(2027, 1, 31).isoformat(),
        "Name": "x",
    }
    assert tags.tags(config.parse("lab", EKS | {"expires": "never"}))[tags.EXPIRES] == "never"
    assert tags.labels(config.parse("lab", EXISTING))[tags.STACK] == "lab"
