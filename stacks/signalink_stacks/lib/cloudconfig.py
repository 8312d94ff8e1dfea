"""Reads the section `aws` of a stack's configuration: what only the cloud's stacks have. Pure.

Owns which of its keys may stand together; `config` puts it beside the others.
"""

import ipaddress
from typing import Final, Literal

from signalink_stacks.lib import authorities, grants, machine
from signalink_stacks.lib.reading import Section
from signalink_stacks.lib.settings import Aws, Nodes, Profile, Target

REGION: Final = r"[a-z]{2}(-[a-z]+)+-\d"
DOMAIN: Final = r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
CIDR: Final = r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}"
WORLD: Final = "0.0.0.0/0"
SOURCE: Final = r"https://[A-Za-z0-9.-]+(:\d+)?/[A-Za-z0-9._~/-]+"
REVISION: Final = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}"
ROLE: Final = r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/[A-Za-z0-9+=,.@_/-]+"
MACHINE: Final = r"[a-z][a-z0-9-]*\.[a-z0-9]+"


def read(section: Section, target: Target, profile: Profile) -> Aws | None:
    """The cloud's side; None for a target that has none, whose section is not looked into."""
    if target not in ("eks", "aws-lite"):
        return None
    lite = target == "aws-lite"
    instance = section.text("instance", "t3.micro", form=MACHINE, expected="a machine's type such as t3.micro")
    nodes = _nodes(section.section("nodes"))
    found = Aws(
        region=section.text("region", None, form=REGION, expected="a region such as us-east-1"),
        account=section.text("account", "", form=r"\d{12}", expected="12 digits in quotes"),
        domain=section.text("domain", "", form=DOMAIN, expected="a domain in small letters"),
        zone=section.text("zone", "", form=r"Z[A-Z0-9]{5,31}", expected="the id of a hosted zone"),
        cidr=section.text("cidr", "10.42.0.0/16", form=CIDR, expected="a network such as 10.42.0.0/16"),
        zones=section.whole("zones", 1 if lite else 2, least=1 if lite else 2, most=3),
        kubernetes=section.text("kubernetes", "1.35", form=r"1\.\d{2}", expected="a minor version in quotes"),
        endpoint_cidrs=section.texts("endpointCidrs", form=CIDR, expected="a network such as 203.0.113.7/32"),
        nodes=nodes,
        instance=instance,
        architecture=_architecture(instance if lite else nodes.type, auto=not lite and nodes.mode == "auto"),
        alarm_email=section.text("alarmEmail", "", form=r"[^@\s]+@[^@\s]+\.[^@\s]+", expected="an e-mail address"),
        destroy_after_hours=section.whole("destroyAfterHours", 12, least=1, most=720),
        backup_days=section.whole("backupDays", 7, least=0, most=35),
        deletable=section.flag("deletable", default=False),
        source=section.text("source", None if lite else "", form=SOURCE, expected="https:// address of a repository"),
        revision=section.text("revision", "main", form=REVISION, expected="a branch, tag or commit"),
        admins=section.texts("admins", form=ROLE, expected="the ARN of a role or user"),
        viewers=section.texts("viewers", form=ROLE, expected="the ARN of a role or user"),
        permissions_boundary=section.text(
            "permissionsBoundary", "", form=grants.POLICY_ARN, expected="the ARN of a managed policy"
        ),
        ca_file=section.text("caFile", "", form=r"\S+", expected="a file with PEM certificates"),
        controller_chart=section.text("controllerChart", "", form=r"\S+", expected="a folder or address of a chart"),
    )
    if "repository" in section.values:
        section.asked.append("repository")
        fix = "remove it; `make trust ... REPOSITORY=OWNER/NAME` writes who may, into the policy of a role"
        section.refuse("repository", "nothing: no part of a stack ever let a repository deploy", fix)
    section.close()
    _networks(section, found)
    if found.region and not lite and (wrong := authorities.fault(found.region, found.ca_file)):
        section.refuse("caFile", *wrong)
    if found.zone and not found.domain:
        section.refuse("domain", "the domain of that zone, with zone", "set it")
    if lite and found.domain and not found.zone:
        wanted = "the hosted zone of the domain: the machine proves there that the name is its own, for its certificate"
        section.refuse("zone", wanted, "set it, or remove domain")
    if twice := sorted(set(found.viewers) & set(found.admins)):
        section.refuse("viewers", "nobody that admins names too", f"take {twice[0]} out of one of them")
    owner = found.permissions_boundary.partition(":iam::")[2].partition(":")[0]
    if owner not in ("", "aws", found.account or owner):
        wanted = f"a policy of the account {found.account}"
        section.refuse("permissionsBoundary", wanted, "a boundary is of the role's own account")
    return found


def _architecture(kind: str, *, auto: bool) -> Literal["amd64", "arm64"]:
    """Of the machines that run our code. Auto Mode's built-in pool for workloads is of amd64 alone."""
    return "amd64" if auto else machine.architecture(kind)


def _nodes(section: Section) -> Nodes:
    found = Nodes(
        mode=section.choice("mode", ("auto", "managed"), "managed"),  # type: ignore[arg-type]
        type=section.text("type", "t3.medium", form=MACHINE, expected="a machine's type such as t3.medium"),
        least=section.whole("least", 3, least=1, most=100),
        most=section.whole("most", 6, least=1, most=100),
    )
    if found.least > found.most:
        section.refuse("least", f"at most {found.most}, as nodes.most says", "lower it, or raise nodes.most")
    section.close()
    return found


def _networks(section: Section, found: Aws) -> None:
    """Networks that are none, one too small for the subnets, and an API that is open to everybody."""
    for key, cidrs in (("cidr", (found.cidr,)), ("endpointCidrs", found.endpoint_cidrs)):
        for cidr in cidrs:
            try:
                network = ipaddress.ip_network(cidr)
            except ValueError:
                section.refuse(key, "networks whose host bits are zero", f"correct {cidr}")
                continue
            if key == "cidr" and (network.prefixlen != 16 or not network.is_private):
                section.refuse(key, "a private /16, of which each subnet takes a /20", "for example 10.42.0.0/16")
    if WORLD in found.endpoint_cidrs:
        section.refuse("endpointCidrs", "who may reach the API, not the whole world", "name your own address as /32")
