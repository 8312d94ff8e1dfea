"""Owns what AWS would compute, for a graph that is recorded without one: shaped as the real, with one fixed account.

Only outputs that the program reads are here; every other resource has its inputs as outputs.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

ACCOUNT: Final = "111122223333"
REGION: Final = "us-east-1"
ANSWERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": {
        "id": REGION,
        "names": [f"{REGION}{letter}" for letter in "abc"],
    },
    "aws:index/getCallerIdentity:getCallerIdentity": {
        "id": ACCOUNT,
        "accountId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/graph",
        "userId": "graph",
    },
    "aws:ssm/getParameter:getParameter": {"id": "ami", "insecureValue": "ami-0123456789abcdef0", "value": ""},
}
"""Token of a function -> its answer."""

Inputs = Mapping[str, Any]


def outputs(typ: str, name: str, inputs: Inputs) -> dict[str, Any]:
    """What a resource of this type has besides its inputs; an ARN for everything at AWS."""
    if not typ.startswith("aws:"):
        return {}
    found: dict[str, Any] = {"arn": _arn(typ.split(":")[1].split("/")[0], name)}
    made = COMPUTED.get(typ)
    return found | (made(name, inputs) if made else {})


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def _cluster(name: str, inputs: Inputs) -> dict[str, Any]:
    return {
        "endpoint": "https://0123.gr7.us-east-1.eks.amazonaws.com",
        "certificateAuthority": {"data": "Z3JhcGg="},
        "vpcConfig": {**inputs["vpcConfig"], "clusterSecurityGroupId": "sg-cluster"},
    }


def _certificate(name: str, inputs: Inputs) -> dict[str, Any]:
    names = [inputs["domainName"], *inputs.get("subjectAlternativeNames", [])]
    return {
        "domainValidationOptions": [
            {
                "domainName": each,
                "resourceRecordName": f"_proof.{each}.",
                "resourceRecordType": "CNAME",
                "resourceRecordValue": "_proof.acm-validations.aws.",
            }
            for each in names
        ]
    }


def _domain(name: str, inputs: Inputs) -> dict[str, Any]:
    more = {"targetDomainName": f"d-0.execute-api.{REGION}.amazonaws.com", "hostedZoneId": "Z1UJRXOUMOOFQ8"}
    return {"domainNameConfiguration": {**inputs["domainNameConfiguration"], **more}}


COMPUTED: Final[Mapping[str, Callable[[str, Inputs], dict[str, Any]]]] = {
    "aws:eks/cluster:Cluster": _cluster,
    "aws:acm/certificate:Certificate": _certificate,
    "aws:apigatewayv2/domainName:DomainName": _domain,
    "aws:ec2/launchTemplate:LaunchTemplate": lambda name, inputs: {"latestVersion": 1},
    "aws:ecr/repository:Repository": lambda name, inputs: {
        "repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{inputs['name']}"
    },
    "aws:kms/key:Key": lambda name, inputs: {"arn": _arn("kms", f"key/{name}")},
    "aws:elasticache/user:User": lambda name, inputs: {"arn": _arn("elasticache", f"user:{inputs['userId']}")},
    "aws:lb/targetGroup:TargetGroup": lambda name, inputs: {
        "arn": _arn("elasticloadbalancing", f"targetgroup/{name}/0123456789abcdef"),
        "arnSuffix": f"targetgroup/{name}/0123456789abcdef",
    },
    "aws:elasticache/replicationGroup:ReplicationGroup": lambda name, inputs: {
        "arn": _arn("elasticache", f"replicationgroup:{inputs['replicationGroupId']}"),
        "primaryEndpointAddress": f"master.{inputs['replicationGroupId']}.use1.cache.amazonaws.com",
    },
    "aws:msk/serverlessCluster:ServerlessCluster": lambda name, inputs: {
        "arn": f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/{inputs['clusterName']}/0-s1",
        "bootstrapBrokersSaslIam": f"boot-0.c1.kafka-serverless.{REGION}.amazonaws.com:9098",
    },
    "aws:rds/instance:Instance": lambda name, inputs: {
        "address": f"{inputs['identifier']}.0.{REGION}.rds.amazonaws.com",
        "resourceId": "db-GRAPH",
        "masterUserSecrets": [
            {"secretArn": _arn("secretsmanager", "secret:rds!db-graph-AbCdEf"), "secretStatus": "active"}
        ],
    },
    "aws:acm/certificateValidation:CertificateValidation": lambda name, inputs: {},
    "aws:lb/loadBalancer:LoadBalancer": lambda name, inputs: {
        "dnsName": f"{inputs['name']}.{REGION}.elb.amazonaws.com",
        "zoneId": "Z35SXDOTRQ7X7K",
        "arnSuffix": f"app/{inputs['name']}/0123456789abcdef",
    },
    "aws:ec2/instance:Instance": lambda name, inputs: {
        "arn": _arn("ec2", "instance/i-0123456789abcdef0"),
        "publicIp": "198.51.100.7",
    },
    "aws:route53/record:Record": lambda name, inputs: {"fqdn": inputs["name"]},
}
"""Type -> outputs from a resource's name and inputs."""
