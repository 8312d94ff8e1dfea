"""Rules about who reaches what: P01 open doors, P02 public data, P04 TLS. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from signalink_stacks.lib.policy.thing import WORLD, Facts, Thing

HTTPS: Final = 443
LOAD_BALANCER: Final = "aws:lb/loadBalancer:LoadBalancer"
OPEN_FIX: Final = "name the networks or the security group that may come in"
BROKER_TLS: Final = "encryptionInfo.encryptionInTransit.clientBroker"
API_TLS: Final = "domainNameConfiguration.securityPolicy"
OLD_TLS: Final = ("TLS-1-0", "TLS-1-1", "2015", "2016-08")
"""Parts of the names of policies that accept less than TLS 1.2."""


def open_doors(thing: Thing, facts: Facts) -> Iterator[str]:
    """P01: nothing but https may be open to the world."""
    for rule in _rules_in(thing):
        ports = (_port(rule, "fromPort"), _port(rule, "toPort"))
        if _open(rule) and ports != (HTTPS, HTTPS):
            shown = "every port" if None in ports else f"port {ports[0]}" if ports[0] == ports[1] else f"ports {ports}"
            yield f"{shown} is open to the whole world; only 443 of the load balancer may be. Fix: {OPEN_FIX}"
    if thing.type == "aws:eks/cluster:Cluster" and thing.at("vpcConfig.endpointPublicAccess"):
        cidrs = thing.at("vpcConfig.publicAccessCidrs")
        if cidrs is None or WORLD & set(cidrs):
            yield "the cluster's API is open to the whole world. Fix: name your own networks in aws.endpointCidrs"


def open_only_at_balancers(things: Sequence[Thing], facts: Facts) -> Iterator[str]:
    """P01: a group that is open to the world is a load balancer's."""
    balancers = [thing for thing in things if thing.type == LOAD_BALANCER]
    theirs = {urn for balancer in balancers for urn in balancer.uses.get("securityGroups", ())}
    for thing in things:
        group = thing.uses.get("securityGroupId", frozenset({thing.urn}))
        if any(_open(rule) and _port(rule, "toPort") == HTTPS for rule in _rules_in(thing)) and not group <= theirs:
            yield f"{thing.name} opens 443 to the world on a group that is no load balancer's. Fix: {OPEN_FIX}"


def _open(rule: dict[str, Any]) -> bool:
    sources = {rule.get("cidrIpv4"), rule.get("cidrIpv6"), *_list(rule, "cidrBlocks"), *_list(rule, "ipv6CidrBlocks")}
    return bool(sources & WORLD)


def _port(rule: dict[str, Any], key: str) -> int | None:
    """An engine gives whole numbers as 22.0."""
    found = rule.get(key)
    return int(found) if isinstance(found, int | float) else None


def _rules_in(thing: Thing) -> list[dict[str, Any]]:
    """Rules that let in: of their own, of the older kind, or inside a group."""
    if thing.type == "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
        return [dict(thing.props)]
    if thing.type == "aws:ec2/securityGroupRule:SecurityGroupRule" and thing.props.get("type") == "ingress":
        return [dict(thing.props)]
    if thing.type in ("aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"):
        return [dict(rule) for rule in thing.every("ingress")]
    return []


def _list(rule: dict[str, Any], key: str) -> list[Any]:
    found = rule.get(key)
    return list(found) if isinstance(found, list | tuple) else []


def public_data(thing: Thing, facts: Facts) -> Iterator[str]:
    """P02: databases, caches and brokers have no public address."""
    if thing.type.startswith("aws:rds/") and thing.props.get("publiclyAccessible"):
        yield "the database has a public address. Fix: publicly_accessible=False"
    access = thing.at("brokerNodeGroupInfo.connectivityInfo.publicAccess.type")
    if thing.type == "aws:msk/cluster:Cluster" and access not in (None, "DISABLED"):
        yield "the brokers have public addresses. Fix: turn public access off"


def tls(thing: Thing, facts: Facts) -> Iterator[str]:
    """P04: everything that crosses a wire does so by TLS 1.2 or newer."""
    kind, props = thing.type, thing.props
    if kind == "aws:lb/listener:Listener":
        yield from _balancer_tls(thing)
    elif kind == "aws:elasticache/replicationGroup:ReplicationGroup":
        if not props.get("transitEncryptionEnabled") or props.get("transitEncryptionMode") == "preferred":
            yield "the cache speaks without TLS. Fix: transit_encryption_enabled=True, mode required"
    elif kind == "aws:rds/parameterGroup:ParameterGroup" and str(props.get("family")).startswith("postgres"):
        if {each.get("name"): each.get("value") for each in thing.every("parameters")}.get("rds.force_ssl") != "1":
            yield "Postgres takes connections without TLS. Fix: parameter rds.force_ssl=1"
    elif kind == "aws:msk/cluster:Cluster" and thing.at(BROKER_TLS) != "TLS":
        yield "the brokers speak without TLS. Fix: encryption in transit, clientBroker TLS"
    elif kind == "aws:apigatewayv2/domainName:DomainName" and thing.at(API_TLS) not in ("TLS_1_2", "TLS_1_3"):
        yield "the API accepts old TLS. Fix: security_policy TLS_1_2"


def _balancer_tls(thing: Thing) -> Iterator[str]:
    protocol, actions = thing.props.get("protocol"), thing.every("defaultActions")
    if protocol == "HTTP" and actions and all(action.get("type") == "redirect" for action in actions):
        return
    if protocol not in ("HTTPS", "TLS"):
        yield f"the load balancer accepts {protocol or 'anything'} without TLS. Fix: protocol HTTPS with a certificate"
    elif any(old in str(thing.props.get("sslPolicy") or "2016-08") for old in OLD_TLS):
        yield "the load balancer accepts old TLS. Fix: ssl_policy ELBSecurityPolicy-TLS13-1-2-2021-06"
