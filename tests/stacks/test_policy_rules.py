"""Each rule of the policy pack lets a good resource through and refuses a bad one, with the reason and a fix."""

import json
from datetime import date
from typing import Any

import pytest

from signalink_stacks.lib import tags
from signalink_stacks.lib.policy.table import RULES
from signalink_stacks.lib.policy.thing import Facts, Thing

FACTS = Facts(today=date(2026, 11, 28), prod=True, max_usd=100, registries=("registry.example",))
TAGS = dict.fromkeys(tags.REQUIRED, "x")
DIGEST = "@sha256:" + "a" * 64
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
CACHE, DATABASE = "aws:elasticache/replicationGroup:ReplicationGroup", "aws:rds/instance:Instance"
MACHINE, TEMPLATE = "aws:ec2/instance:Instance", "aws:ec2/launchTemplate:LaunchTemplate"
CLUSTER, NAMESPACE = "aws:eks/cluster:Cluster", "kubernetes:core/v1:Namespace"
DEPLOYMENT, DOMAIN = "kubernetes:apps/v1:Deployment", "aws:apigatewayv2/domainName:DomainName"
FRONT, POLICY = "aws:lb/listener:Listener", "aws:iam/rolePolicy:RolePolicy"
VOLUMES = "kubernetes:storage.k8s.io/v1:StorageClass"
NEEDS = {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "1Mi"}}


def pod(**container: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", **container}]}}}}


def policy(action: Any, resource: Any, effect: str = "Allow") -> dict[str, Any]:
    return {"policy": json.dumps({"Statement": [{"Effect": effect, "Action": action, "Resource": resource}]})}


def postgres(**more: Any) -> dict[str, Any]:
    return {"deletionProtection": True, "backupRetentionPeriod": 7, "skipFinalSnapshot": False, **more}


KUBERNETES = {"version": "1.35", "upgradePolicy": {"supportType": "STANDARD"}}
PASSING: list[tuple[str, str, dict[str, Any]]] = [
    ("P01", RULE, {"cidrIpv4": "0.0.0.0/0", "fromPort": 443, "toPort": 443}),
    ("P01", RULE, {"cidrIpv4": "10.0.0.0/8", "fromPort": 22, "toPort": 22}),
    ("P01", RULE, {"fromPort": 5432, "toPort": 5432}),
    ("P01", CLUSTER, {"vpcConfig": {"endpointPublicAccess": True, "publicAccessCidrs": ["203.0.113.7/32"]}}),
    ("P02", DATABASE, {"publiclyAccessible": False}),
    ("P03", DATABASE, {"storageEncrypted": True}),
    ("P03", TEMPLATE, {"blockDeviceMappings": [{"ebs": {"encrypted": "true"}}]}),
    ("P03", CLUSTER, {"encryptionConfig": {"resources": ["secrets"]}}),
    ("P03", VOLUMES, {"provisioner": "ebs.csi.aws.com", "parameters": {"encrypted": "true"}}),
    ("P03", VOLUMES, {"provisioner": "rancher.io/local-path"}),
    ("P04", FRONT, {"protocol": "HTTPS", "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}),
    ("P04", FRONT, {"protocol": "HTTP", "defaultActions": [{"type": "redirect"}]}),
    ("P04", CACHE, {"transitEncryptionEnabled": True, "transitEncryptionMode": "required"}),
    ("P05", DATABASE, {"tags": TAGS}),
    ("P05", "aws:ec2/route:Route", {}),
    ("P05", NAMESPACE, {}),
    ("P06", NAMESPACE, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}),
    ("P07", DEPLOYMENT, pod(image=f"registry.example/signalink/api:1{DIGEST}")),
    ("P07", DEPLOYMENT, pod(image=f"111122223333.dkr.ecr.eu-central-1.amazonaws.com/x/api{DIGEST}")),
    ("P08", DEPLOYMENT, pod(resources=NEEDS)),
    ("P09", POLICY, policy("s3:*", "arn:aws:s3:::one/*")),
    ("P09", POLICY, policy("ec2:DescribeVpcs", "*")),
    ("P09", POLICY, policy("*", "*", "Deny")),
    ("P10", MACHINE, {"metadataOptions": {"httpTokens": "required"}}),
    ("P11", DATABASE, postgres()),
    ("P13", DATABASE, {}),
    ("P14", CLUSTER, KUBERNETES),
    ("P14", CLUSTER, KUBERNETES | {"version": "1.40"}),
    ("P15", DATABASE, {"manageMasterUserPassword": True}),
    ("P15", DEPLOYMENT, pod(env=[{"name": "SIGNALINK_POSTGRES_PASSWORD_FILE", "value": "/run/secrets/x"}])),
    ("P15", DEPLOYMENT, pod(env=[{"name": "DSN", "value": "postgresql://signalink_api@db:5432/signalink"}])),
    ("P15", "kubernetes:core/v1:Secret", {"stringData": {"dsn": "postgresql://a:b@c"}}),
]
FAILING: list[tuple[str, str, dict[str, Any], str]] = [
    ("P01", RULE, {"cidrIpv4": "0.0.0.0/0", "fromPort": 22, "toPort": 22}, "port 22 is open to the whole world"),
    ("P01", RULE, {"cidrIpv6": "::/0", "ipProtocol": "-1"}, "every port is open"),
    ("P01", RULE, {"cidrIpv4": "0.0.0.0/0", "fromPort": 1, "toPort": 443}, "ports (1, 443) is open"),
    ("P01", "aws:ec2/securityGroup:SecurityGroup",
     {"ingress": [{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 80, "toPort": 80}]}, "port 80 is open"),
    ("P01", CLUSTER, {"vpcConfig": {"endpointPublicAccess": True}}, "aws.endpointCidrs"),
    ("P02", DATABASE, {"publiclyAccessible": True}, "public address"),
    ("P02", "aws:msk/cluster:Cluster",
     {"brokerNodeGroupInfo": {"connectivityInfo": {"publicAccess": {"type": "SERVICE_PROVIDED_EIPS"}}}}, "brokers"),
    ("P03", DATABASE, {}, "the database is not encrypted"),
    ("P03", CACHE, {}, "the cache is not encrypted"),
    ("P03", MACHINE, {"rootBlockDevice": {"encrypted": False}}, "disk of the machine is not encrypted"),
    ("P03", MACHINE, {}, "disk of the machine is not encrypted"),
    ("P03", TEMPLATE, {}, "disk of the machines is not encrypted"),
    ("P03", "aws:ecr/repository:Repository", {"encryptionConfigurations": [{"encryptionType": "AES256"}]}, "KMS"),
    ("P03", "aws:ebs/volume:Volume", {}, "the volume is not encrypted"),
    ("P03", VOLUMES, {"provisioner": "ebs.csi.eks.amazonaws.com", "parameters": {}}, "a volume of a pod is not"),
    ("P03", CLUSTER, {}, "a Secret is not encrypted"),
    ("P04", FRONT, {"protocol": "HTTP", "defaultActions": [{"type": "forward"}]}, "accepts HTTP without TLS"),
    ("P04", FRONT, {"protocol": "HTTPS", "sslPolicy": "ELBSecurityPolicy-TLS-1-0-2015-04"}, "old TLS"),
    ("P04", FRONT, {"protocol": "HTTPS"}, "old TLS"),
    ("P04", CACHE, {"transitEncryptionEnabled": True, "transitEncryptionMode": "preferred"}, "without TLS"),
    ("P04", "aws:rds/parameterGroup:ParameterGroup", {"family": "postgres18"}, "rds.force_ssl=1"),
    ("P04", DOMAIN, {"domainNameConfiguration": {"securityPolicy": "TLS_1_0"}}, "TLS_1_2"),
    ("P04", "aws:msk/cluster:Cluster", {}, "brokers speak without TLS"),
    ("P05", DATABASE, {"tags": {tags.STACK: "x"}}, f"has no tag {tags.OWNER}, {tags.EXPIRES}"),
    ("P06", NAMESPACE, {"metadata": {"name": "x"}}, "enforce: restricted"),
    ("P07", DEPLOYMENT, pod(image="registry.example/signalink/api:1"), "names no digest"),
    ("P07", DEPLOYMENT, pod(image=f"evil.example/api{DIGEST}"), "from no known registry (registry.example)"),
    ("P08", DEPLOYMENT, pod(resources={"limits": {"memory": "1Mi"}}), "c says no requests.cpu, requests.memory"),
    ("P08", DEPLOYMENT, pod(), "limits.memory"),
    ("P09", POLICY, policy("*", "*"), "allows * on every resource"),
    ("P09", POLICY, policy(["s3:Get*", "iam:*"], ["*"]), "allows iam:* on every resource"),
    ("P10", MACHINE, {}, "without a token"),
    ("P10", TEMPLATE, {"metadataOptions": {"httpTokens": "optional"}}, "without a token"),
    ("P11", DATABASE, postgres(skipFinalSnapshot=True), "can be deleted"),
    ("P11", DATABASE, postgres(backupRetentionPeriod=1), "less than 7 days"),
    ("P11", CACHE, {"snapshotRetentionLimit": 0}, "no snapshots"),
    ("P11", CLUSTER, {}, "cluster of production can be deleted"),
    ("P11", "aws:ecr/repository:Repository", {"forceDelete": True}, "force_delete=False"),
    ("P11", "aws:lb/loadBalancer:LoadBalancer", {}, "enable_deletion_protection"),
    ("P14", CLUSTER, KUBERNETES | {"version": "1.33"}, "Kubernetes 1.33 is out of standard support"),
    ("P14", CLUSTER, KUBERNETES | {"version": "1.20"}, "out of standard support"),
    ("P14", CLUSTER, {"version": "1.35"}, "extended support"),
    ("P15", DATABASE, {"password": "hunter2"}, "takes a password in password"),
    ("P15", "aws:elasticache/user:User", {"authenticationMode": {"passwords": ["x"]}}, "authenticationMode.passwords"),
    ("P15", DEPLOYMENT, pod(env=[{"name": "DB_PASSWORD", "value": "hunter2"}]), "gets DB_PASSWORD in clear"),
    ("P15", MACHINE, {"userData": "curl https://ada:hunter2@git.example"}, "a secret in clear in userData"),
    ("P15", "kubernetes:core/v1:ConfigMap", {"data": {"key": "-----BEGIN PRIVATE KEY-----"}}, "clear in data.key"),
]  # fmt: skip


def said(code: str, thing: Thing, facts: Facts = FACTS) -> list[str]:
    (rule,) = [rule for rule in RULES if rule.code == code]
    assert rule.each is not None
    return list(rule.each(thing, facts))


@pytest.mark.parametrize(("code", "kind", "props"), PASSING)
def test_a_good_resource_passes(code: str, kind: str, props: dict[str, Any]) -> None:
    assert said(code, Thing(kind, "one", props)) == []


@pytest.mark.parametrize(("code", "kind", "props", "why"), FAILING, ids=[f"{c}-{w[:30]}" for c, _, _, w in FAILING])
def test_a_bad_one_is_refused_with_the_reason_and_a_fix(code: str, kind: str, props: dict[str, Any], why: str) -> None:
    (message,) = said(code, Thing(kind, "one", props))
    assert why in message
    assert "Fix: " in message


def test_a_default_provider_is_refused_and_an_explicit_one_is_not() -> None:
    assert said("P13", Thing(DATABASE, "one", {}, provider="aws")) == []
    assert "goes wherever the shell points" in said("P13", Thing(DATABASE, "one", {}, provider="default_7_51_1"))[0]
    assert said("P13", Thing("signalink:aws:Rds", "one", {}, provider="")) == []
    assert said("P13", Thing("kubernetes:helm.sh/v4:Chart", "one", {}, provider="")) == [], "it holds others"
    assert said("P13", Thing("kubernetes:helm.sh/v3:Release", "one", {}, provider="")) != []


def test_labs_may_delete_what_production_may_not() -> None:
    assert said("P11", Thing(DATABASE, "one", {}), Facts(today=FACTS.today)) == []


def test_kind_may_name_images_by_a_tag_that_stays() -> None:
    kind = Facts(today=FACTS.today, by_tag=True, registries=("",))
    assert said("P07", Thing(DEPLOYMENT, "one", pod(image="signalink/api:0.1.0-3f2a")), kind) == []
    assert said("P07", Thing(DEPLOYMENT, "one", pod(image="signalink/api:latest")), kind) != []
    assert said("P07", Thing(DEPLOYMENT, "one", pod(image="signalink/api")), kind) != []


def whole(code: str, *things: Thing, facts: Facts = FACTS) -> list[str]:
    (rule,) = [rule for rule in RULES if rule.code == code]
    assert rule.whole is not None
    return list(rule.whole(things, facts))


def test_443_is_open_to_the_world_only_on_a_load_balancers_group() -> None:
    opened = {"cidrIpv4": "0.0.0.0/0", "fromPort": 443, "toPort": 443}
    balancer = Thing("aws:lb/loadBalancer:LoadBalancer", "lb", {}, uses={"securityGroups": frozenset({"urn:alb"})})
    good = Thing(RULE, "good", opened, uses={"securityGroupId": frozenset({"urn:alb"})})
    bad = Thing(RULE, "bad", opened, uses={"securityGroupId": frozenset({"urn:nodes"})})
    assert whole("P01", balancer, good) == []
    (message,) = whole("P01", balancer, good, bad)
    assert message.startswith("bad opens 443 to the world")


def test_a_stack_over_its_limit_is_refused_with_its_dearest_lines() -> None:
    dear = Thing("aws:msk/serverlessCluster:ServerlessCluster", "kafka", {})
    (message,) = whole("P12", dear)
    assert "over the limit of 100" in message
    assert "kafka" in message
    assert whole("P12", dear, facts=Facts(today=FACTS.today, max_usd=5000)) == []


def test_something_billable_without_a_price_is_refused() -> None:
    (message,) = whole("P12", Thing("aws:redshift/cluster:Cluster", "new", {}))
    assert "without a price" in message


def test_the_codes_are_those_of_the_design_in_order() -> None:
    assert [rule.code for rule in RULES] == [f"P{number:02}" for number in range(1, 16)]
    tested = {case[0] for case in PASSING} & {case[0] for case in FAILING}
    assert {rule.code for rule in RULES} - tested == {"P12", "P13"}, "those two have tests of their own above"
