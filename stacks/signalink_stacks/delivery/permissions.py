"""Owns what the pipeline's roles may do at AWS: the permission policies beside their trust policies. Pure.

`python -m signalink_stacks.delivery permissions ROLE ...` prints them. Which calls each type of resource takes is in
actions.toml; here is on what, and under which condition: the stack's tag where AWS knows tags, else the stack's names.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from signalink_core.errors import ConfigurationError
from signalink_stacks.delivery import trust
from signalink_stacks.delivery.trust import Role
from signalink_stacks.lib import grants, images, names, registry, tags
from signalink_stacks.lib.grants import Statement

FILE: Final = Path(__file__).with_name("actions.toml")
MOST_CHARACTERS: Final = 6144
"""Of one managed policy, white space not counted."""
Conditions = Mapping[str, Mapping[str, str | list[str]]]
GLOBAL: Final = ("budgets", "iam", "route53", "sts", "freetier", "servicequotas")
"""Services that answer from one region, whichever a stack is in."""
REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
STACK: Final = re.compile(names.STACK)
LOOKS: Final = (
    "ec2:DescribeRegions", "freetier:GetAccountPlanState", "servicequotas:GetServiceQuota",
    "servicequotas:GetAWSDefaultServiceQuota", "ec2:DescribeSnapshots", "tag:GetResources", "ec2:DescribeTags",
    "kms:ListKeys", "route53:ListHostedZones",
)  # fmt: skip
"""What the doctor, the sweep and the program ask besides."""
LISTS: Final = re.compile(
    r"ec2:Describe(?!InstanceAttribute|VpcAttribute)|elasticloadbalancing:Describe|eks:DescribeAddonVersions"
    r"|kafka:GetBootstrapBrokers|kms:List(Aliases|Keys)|logs:(Describe|Get|ListLogDeliveries)|route53:ListHostedZones"
    r"|rds:Describe(DBEngineVersions|OrderableDBInstanceOptions)|servicequotas:|freetier:|sns:GetSubscription|tag:"
)
"""Reads that AWS cannot narrow to a thing."""
TAGGED_WHEN_MADE: Final = frozenset({
    "acm:RequestCertificate", "cloudwatch:PutMetricAlarm", "ecr:CreateRepository", "eks:CreateAccessEntry",
    "eks:CreateAddon", "eks:CreateCluster", "eks:CreateNodegroup", "eks:CreatePodIdentityAssociation",
    "ec2:AllocateAddress", "ec2:CreateInternetGateway", "ec2:CreateLaunchTemplate", "ec2:CreateNatGateway",
    "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpc", "ec2:CreateVpcEndpoint",
    "ec2:RunInstances", "ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress",
    "elasticache:CreateCacheSubnetGroup", "elasticache:CreateUser", "elasticache:CreateUserGroup",
    "elasticache:CreateReplicationGroup", "elasticache:CreateSnapshot",
    "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateRule",
    "elasticloadbalancing:CreateTargetGroup", "iam:CreateRole", "iam:CreateInstanceProfile", "kafka:CreateClusterV2",
    "kms:CreateKey", "logs:CreateLogGroup", "rds:CreateDBInstance", "rds:CreateDBParameterGroup",
    "rds:CreateDBSubnetGroup", "rds:CreateDBSnapshot", "sns:CreateTopic",
})  # fmt: skip
"""Calls in which the new thing must carry the stack's tag."""
TAGGING: Final = re.compile(r":(AddTags|AddTagsToResource|AddTagsToCertificate|CreateTags|Tag[A-Z]\w+)$")
"""Calls that AWS also asks about when a thing is made with tags."""
BY_NAME: Final = frozenset({
    "kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias", "sns:Subscribe", "iam:AddRoleToInstanceProfile",
    "iam:RemoveRoleFromInstanceProfile", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole", "iam:UpdateRoleDescription", "iam:DeleteRole", "iam:DeleteInstanceProfile",
    "iam:UntagRole", "iam:UntagInstanceProfile",
})  # fmt: skip
"""Calls on things that the stack's names tell apart, where AWS knows no tag or the name says more."""
NAMELESS: Final = frozenset({
    "logs:CreateLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:PutResourcePolicy",
    "sns:SetSubscriptionAttributes", "sns:Unsubscribe",
})  # fmt: skip
"""Calls that AWS cannot narrow to a thing."""
BORN_NAMELESS: Final = frozenset({"acm:RequestCertificate", "eks:CreateCluster", "kms:CreateKey"})
"""Calls that make a thing whose ARN AWS does not know beforehand."""
UNTAGGED: Final = ("apigateway", "budgets", "route53", "scheduler")
"""Services that are narrowed by paths and names alone."""
ATTACHABLE: Final = (
    "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy", "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy",
    "AmazonEKSWorkerNodeMinimalPolicy", "AmazonEKSWorkerNodePolicy", "AmazonSSMManagedInstanceCore",
    "service-role/AmazonEBSCSIDriverPolicy",
)  # fmt: skip
"""Policies of AWS that the program attaches to roles; no other may be."""
GIVING: Final = frozenset({"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"})
"""Calls by which a role gets rights."""
PASSED_TO: Final = ("ec2.amazonaws.com", "eks.amazonaws.com", "pods.eks.amazonaws.com", "scheduler.amazonaws.com")
LINKED: Final = (
    "autoscaling", "eks", "eks-nodegroup", "elasticache", "elasticloadbalancing", "kafka", "ops.apigateway", "rds",
)  # fmt: skip
"""Services whose own role AWS makes with the first thing of an account."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a role works. `state`: `BUCKET` of the stacks' state; `key`: id of the KMS key of their secrets.

    `boundary`: ARN of the policy that every role must have as its permissions boundary; empty: none is asked for.
    """

    account: str
    region: str
    stack: str
    state: str = ""
    key: str = ""
    boundary: str = ""

    def __post_init__(self) -> None:
        wrong = [
            (name, value)
            for name, value, form in (
                ("account", self.account, trust.ACCOUNT), ("region", self.region, REGION), ("stack", self.stack, STACK),
                ("state", self.state or "abc", re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")),
                ("key", self.key or "a", re.compile(r"[A-Za-z0-9-]{1,64}")),
                ("boundary", self.boundary or f"arn:aws:iam::{self.account}:policy/a", re.compile(grants.POLICY_ARN)),
            )
            if not form.fullmatch(value)
        ]  # fmt: skip
        if wrong:
            raise ConfigurationError(
                " ".join(f"{value!r} is no {name}." for name, value in wrong),
                next_step="as `--account 123456789012 --region us-east-1 --stack eks`, and where they are wanted "
                "`--state BUCKET --key ID --boundary arn:aws:iam::123456789012:policy/NAME`",
            )

    def arn(self, service: str, rest: str) -> str:
        region = "" if service in ("iam", "budgets", "route53", "s3") else self.region
        account = "" if service in ("apigateway", "route53", "s3") else self.account
        return f"arn:aws:{service}:{region}:{account}:{rest}"

    @property
    def prefix(self) -> str:
        """What every name of the stack begins with."""
        return names.name(self.stack, "")


def actions() -> Mapping[str, Mapping[str, list[str]]]:
    """Type of a resource -> `create`, `read`, `update`, `delete` -> calls."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def policies(role: Role, place: Place) -> dict[str, dict[str, Any]]:
    """Name -> policy, as many as AWS's bound on the length of one needs."""
    made = {"push": push, "preview": preview, "deploy": deploy}[role](place)
    made = [part for statement in made for part in _bounded(statement, place)] if place.boundary else made
    found: list[list[Statement]] = []
    for statement in made:
        if found and _length([*found[-1], statement]) <= MOST_CHARACTERS:
            found[-1].append(statement)
        else:
            found.append([statement])
    return {f"signalink-{role}-{number}": grants.document(part) for number, part in enumerate(found, 1)}


def _bounded(statement: Statement, place: Place) -> list[Statement]:
    """Whatever gives a role rights, only where the role has the boundary: then it can give none beyond it."""
    giving = tuple(action for action in statement.actions if action in GIVING)
    if not giving:
        return [statement]
    within = {**(statement.conditions or {})}
    within["StringEquals"] = {**within.get("StringEquals", {}), "iam:PermissionsBoundary": place.boundary}
    more = ("iam:PutRolePermissionsBoundary",) if "iam:CreateRole" in giving else ()
    roles = tuple(arn for arn in statement.resources if ":role/" in arn)
    bounded = Statement(f"{statement.sid}Bounded", giving, roles, within)
    others = tuple(action for action in statement.actions if action not in giving)
    kept = [Statement(statement.sid, others, statement.resources, statement.conditions)] if others else []
    boundary: Conditions = {"StringEquals": {"iam:PermissionsBoundary": place.boundary}}
    return [*kept, bounded, *([Statement("SetBoundary", more, roles, boundary)] if more else [])]


def _length(statements: list[Statement]) -> int:
    return len(json.dumps(grants.document(statements), separators=(",", ":")))


def push(place: Place) -> list[Statement]:
    """Images into their repositories of the stack, ours and copies of others, and nothing else."""
    called = registry.repositories(images.load(), registry.prefix(place.stack))
    arns = tuple(place.arn("ecr", f"repository/{name}") for name in sorted(called.values()))
    writes = (
        "BatchCheckLayerAvailability", "BatchGetImage", "CompleteLayerUpload", "DescribeImages",
        "GetDownloadUrlForLayer", "InitiateLayerUpload", "PutImage", "UploadLayerPart",
    )  # fmt: skip
    return [
        Statement("SignIn", ("ecr:GetAuthorizationToken",), ("*",), _here(place)),
        Statement("Push", tuple(f"ecr:{name}" for name in writes), arns),
    ]


def preview(place: Place) -> list[Statement]:
    """Look at everything that the program reads, and at the state; change nothing."""
    wanted = sorted({call for calls in actions().values() for call in calls.get("read", [])} | set(LOOKS))
    lists = [call for call in wanted if LISTS.match(call)]
    here, everywhere = ([call for call in lists if _is_global(call) is apart] for apart in (False, True))
    single = [call for call in wanted if call not in lists]
    found = [
        Statement("Look", tuple(here), ("*",), _here(place)),
        Statement("LookEverywhere", tuple(everywhere), ("*",)),
        Statement("LookAtOne", tuple(single), tuple(sorted({arn for call in single for arn in _any(place, call)}))),
        Statement(
            "NewestImageOfUbuntu",
            ("ssm:GetParameter", "ssm:GetParameters"),
            (f"arn:aws:ssm:{place.region}:*:parameter/aws/service/canonical/*",),
        ),
    ]
    return [*found, *_state(place, write=False)]


def deploy(place: Place) -> list[Statement]:
    """What preview may, and make, change and delete what the stack's graph has."""
    table = actions()
    made = {call for calls in table.values() for call in calls.get("create", [])}
    changed = {call for calls in table.values() for kind in ("update", "delete") for call in calls.get(kind, [])}
    tagging = {call for call in changed if TAGGING.search(call)}
    named = {call for call in made | changed if call in BY_NAME or call.partition(":")[0] in UNTAGGED}
    attach = {"iam:AttachRolePolicy", "iam:DetachRolePolicy"}
    fresh = ((made & TAGGED_WHEN_MADE) | tagging) - named - BORN_NAMELESS
    rest = (made | changed) - NAMELESS - named - attach
    kept = {call for call in rest if call not in TAGGED_WHEN_MADE or call.startswith("ec2:") or call in changed}
    return [
        *preview(place)[:4],
        *_state(place, write=True),
        *_by_service("New", place, fresh, _condition("aws:RequestTag", place), made_only=True),
        *_by_service("Ours", place, kept, _condition("aws:ResourceTag", place)),
        *_by_service("Named", place, named, None),
        *_special(place),
    ]


def _by_service(
    sid: str, place: Place, calls: Iterable[str], condition: Conditions | None, *, made_only: bool = False
) -> list[Statement]:
    found: dict[str, list[str]] = {}
    for call in sorted(calls):
        found.setdefault(call.partition(":")[0], []).append(call)
    return [
        Statement(f"{sid}{service.capitalize()}", tuple(own), _places(place, service, made_only=made_only), condition)
        for service, own in found.items()
    ]


MADE_BY_EC2: Final = (
    "elastic-ip", "instance", "internet-gateway", "launch-template", "natgateway", "network-interface", "route-table",
    "security-group", "security-group-rule", "subnet", "volume", "vpc", "vpc-endpoint",
)  # fmt: skip


def _places(place: Place, service: str, *, made_only: bool) -> tuple[str, ...]:
    """The things of one service that a stack may have, by their names where they have any."""
    mine = place.prefix
    parts: Mapping[str, tuple[str, ...]] = {
        "acm": ("certificate/*",),
        "apigateway": tuple(
            f"/{part}"
            for part in ("apis", "apis/*", "domainnames", "domainnames/*", "vpclinks", "vpclinks/*", "tags/*")
        ),
        "budgets": (f"budget/{mine}*",),
        "cloudwatch": ("alarm:*",),
        "ec2": tuple(f"{kind}/*" for kind in MADE_BY_EC2),
        "ecr": (f"repository/{mine}*",),
        "eks": tuple(
            f"{kind}/{mine}*" for kind in ("cluster", "nodegroup", "addon", "access-entry", "podidentityassociation")
        ),
        "elasticache": tuple(
            f"{kind}:{mine}*"
            for kind in ("replicationgroup", "cluster", "subnetgroup", "user", "usergroup", "snapshot")
        ),
        "elasticloadbalancing": (
            "loadbalancer/*", "targetgroup/*", "listener/*", "listener-rule/*",
        ),
        "iam": (f"role/{mine}*", f"instance-profile/{mine}*"),
        "kafka": (f"cluster/{mine}*",),
        "kms": ("key/*",) if made_only else ("key/*", f"alias/{mine}*"),
        "logs": tuple(f"log-group:/aws/{part}/{mine}*" for part in ("eks", "rds/instance", "apigateway")),
        "rds": tuple(f"{kind}:{mine}*" for kind in ("db", "pg", "subgrp", "snapshot")),
        "route53": ("hostedzone/*",),
        "scheduler": (f"schedule/*/{mine}*",),
        "sns": (f"{mine}*",),
    }  # fmt: skip
    return tuple(place.arn(service, part) for part in parts[service])


def _special(place: Place) -> list[Statement]:
    """What no tag and no name of a thing says: other people's images, roles that are handed on, AWS's own roles."""
    roles = (place.arn("iam", f"role/{place.prefix}*"),)
    ready: Conditions = {"ArnEquals": {"iam:PolicyARN": [f"arn:aws:iam::aws:policy/{name}" for name in ATTACHABLE]}}
    handed: Conditions = {"StringEquals": {"iam:PassedToService": list(PASSED_TO)}}
    linked: Conditions = {"StringEquals": {"iam:AWSServiceName": [f"{name}.amazonaws.com" for name in LINKED]}}
    endpoints = (place.arn("ec2", "vpc-endpoint/*"),)
    managed = {"aws:RequestTag/AWSMSKManaged": "true"}
    theirs: Conditions = {"StringLike": {"aws:ResourceTag/ClusterArn": place.arn("kafka", f"cluster/{place.prefix}*")}}
    keys: Conditions = {**_condition("aws:ResourceTag", place), "Bool": {"kms:GrantIsForAWSResource": "true"}}
    return [
        Statement(
            "StartFromAnyImage",
            ("ec2:RunInstances",),
            (f"arn:aws:ec2:{place.region}::image/*",
             *(place.arn("ec2", f"{kind}/*") for kind in ("network-interface", "volume"))),
        ),
        Statement("UsualParameters", ("elasticache:CreateReplicationGroup",), tuple(
            place.arn("elasticache", f"parametergroup:{name}*") for name in ("default", place.prefix))),
        Statement("Deliver", tuple(sorted(NAMELESS)), ("*",), _here(place)),
        # MSK Serverless makes its endpoint with the rights of who makes the cluster, and tags it itself.
        Statement("EndpointOfKafka", ("ec2:CreateVpcEndpoint",), endpoints,
                  {"StringEquals": managed, "StringLike": {"aws:RequestTag/ClusterArn": "*"}}),
        Statement("TagEndpointOfKafka", ("ec2:CreateTags",), endpoints,
                  {"StringEquals": {**managed, "ec2:CreateAction": "CreateVpcEndpoint"}}),
        Statement("EndEndpointOfKafka", ("ec2:DeleteVpcEndpoints",), endpoints, theirs),
        Statement("ResolveEndpoints", ("route53:AssociateVPCWithHostedZone",), ("arn:aws:route53:::hostedzone/*",)),
        Statement("NewNameless", tuple(sorted(BORN_NAMELESS)), ("*",), _condition("aws:RequestTag", place)),
        Statement("UseKeys", ("kms:Decrypt", "kms:GenerateDataKey"), (place.arn("kms", "key/*"),),
                  _condition("aws:ResourceTag", place)),
        Statement("LendKeys", ("kms:CreateGrant",), (place.arn("kms", "key/*"),), keys),
        Statement("MasterPassword", ("secretsmanager:CreateSecret", "secretsmanager:TagResource"),
                  (place.arn("secretsmanager", "secret:rds!*"),)),
        Statement("ReadyPolicies", ("iam:AttachRolePolicy", "iam:DetachRolePolicy"), roles, ready),
        Statement("HandOn", ("iam:PassRole",), roles, handed),
        Statement("RolesOfServices", ("iam:CreateServiceLinkedRole",),
                  (place.arn("iam", "role/aws-service-role/*"),), linked),
    ]  # fmt: skip


def _state(place: Place, *, write: bool) -> list[Statement]:
    """The stacks' state in a bucket, and the key of their secrets; nothing where they are not named."""
    found = []
    if place.state:
        bucket = place.arn("s3", place.state)
        objects = ("s3:GetObject", *(("s3:PutObject", "s3:DeleteObject") if write else ()))
        found += [
            Statement("FindState", ("s3:GetBucketLocation", "s3:ListBucket"), (bucket,)),
            Statement("State", objects, (f"{bucket}/.pulumi/*",)),
        ]
    if place.key:
        uses = ("kms:Decrypt", *(("kms:Encrypt",) if write else ()))
        found.append(Statement("Secrets", uses, (place.arn("kms", f"key/{place.key}"),)))
    return found


def _is_global(call: str) -> bool:
    return call.partition(":")[0] in GLOBAL


def _any(place: Place, call: str) -> tuple[str, ...]:
    """Every thing of the call's service in this account and region: what may be read is not a stack's alone."""
    service = call.partition(":")[0]
    kinds = {
        "apigateway": ("/*",),
        "iam": ("role/*", "instance-profile/*"),
        "route53": ("hostedzone/*", "change/*"),
    }.get(service, ("*",))
    return tuple(place.arn(service, kind) for kind in kinds)


def _here(place: Place) -> Conditions:
    return {"StringEquals": {"aws:RequestedRegion": place.region}}


def _condition(key: str, place: Place) -> Conditions:
    return {"StringEquals": {f"{key}/{tags.STACK}": place.stack}}
