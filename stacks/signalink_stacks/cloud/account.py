"""Gathers what the doctor wants to know of an AWS account: thin, no judgement, nothing is changed.

A call that is refused or not answered leaves its fact out, with the reason: the rules say what that means.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from signalink_core.errors import SignalinkError
from signalink_stacks.cloud.clients import Clients, translated
from signalink_stacks.cloud.kinds import pages
from signalink_stacks.doctor.host import Account

Fact = TypeVar("Fact")
QUOTAS: Final[Mapping[str, tuple[str, str]]] = {
    "VPCs": ("vpc", "L-F678F1CE"),
    "elastic addresses": ("ec2", "L-0263D0A3"),
    "CPUs of standard instances": ("ec2", "L-1216C47A"),
}
"""What an eks stack can run out of, by service and code of the quota."""


def gather(region: str = "") -> Account:
    """About twelve calls; never raises: without an identity nothing else is asked."""
    problems: dict[str, str] = {}

    def ask(name: str, call: Callable[[], Fact]) -> Fact | None:
        try:
            with translated():
                return call()
        except SignalinkError as error:
            problems[name] = error.detail.rstrip(".")
            return None

    clients = ask("identity", lambda: Clients(region))
    who = ask("identity", lambda: clients("sts").get_caller_identity()) if clients else None
    if clients is None or who is None:
        return Account(problems=problems)
    number = str(who["Account"])
    return Account(
        number=number,
        identity=str(who["Arn"]),
        region=clients.region,
        regions=ask("regions", lambda: regions(clients)),
        plan=ask("plan", lambda: plan(clients)),
        free_types=ask("free types", lambda: free_types(clients)),
        budgets=ask("budgets", lambda: budgets(clients, number)),
        quotas={name: found for name in QUOTAS if (found := ask(name, lambda name=name: quota(clients, name)))},  # type: ignore[misc]
        problems=problems,
    )


def regions(clients: Clients) -> frozenset[str]:
    """Names of the regions that this account may use."""
    found = clients("ec2").describe_regions()["Regions"]
    return frozenset(each["RegionName"] for each in found)


def plan(clients: Clients) -> Mapping[str, Any]:
    """`type`: FREE or PAID; `status`; `credits` in USD, `ends`: of a free plan."""
    found = clients("freetier").get_account_plan_state()
    left = found.get("accountPlanRemainingCredits") or {}
    return {
        "type": str(found.get("accountPlanType", "")),
        "status": str(found.get("accountPlanStatus", "")),
        "credits": float(left["amount"]) if "amount" in left else None,
        "ends": str(found.get("accountPlanExpirationDate") or ""),
    }


def free_types(clients: Clients) -> frozenset[str]:
    """Instance types that this account gets within its free tier, as EC2 says."""
    filters = [{"Name": "free-tier-eligible", "Values": ["true"]}]
    return frozenset(
        each["InstanceType"]
        for page in pages(clients("ec2"), "describe_instance_types", Filters=filters)
        for each in page["InstanceTypes"]
        if each.get("FreeTierEligible")
    )


def budgets(clients: Clients, number: str) -> tuple[str, ...]:
    """Names of the account's budgets."""
    found = pages(clients("budgets"), "describe_budgets", AccountId=number)
    return tuple(str(each["BudgetName"]) for page in found for each in page.get("Budgets", []))


def quota(clients: Clients, name: str) -> tuple[float, int]:
    """The account's own value of a quota, else everybody's default; and how many are used."""
    service, code = QUOTAS[name]
    client = clients("service-quotas")
    try:
        found = client.get_service_quota(ServiceCode=service, QuotaCode=code)
    except client.exceptions.NoSuchResourceException:
        found = client.get_aws_default_service_quota(ServiceCode=service, QuotaCode=code)
    return float(found["Quota"]["Value"]), used(clients, name)


def used(clients: Clients, name: str) -> int:
    """0 for what cannot be counted by one call."""
    if name == "VPCs":
        return sum(len(page["Vpcs"]) for page in pages(clients("ec2"), "describe_vpcs"))
    if name == "elastic addresses":
        return len(clients("ec2").describe_addresses()["Addresses"])
    return 0
