"""Owns the rules on an AWS account (target eks), and on the versions of the engine that makes stacks."""

from typing import Final

from signalink_stacks.doctor.host import Account, Host
from signalink_stacks.doctor.rule import Finding, Rule, fail, ok, warn

NEEDED: Final = {"VPCs": 1, "elastic addresses": 3, "CPUs of standard instances": 8}
"""What one eks stack of profile full takes of a quota."""
PLUGINS: Final = {"aws": "pulumi-aws", "kubernetes": "pulumi-kubernetes"}
SHOWN: Final = 4


def account(host: Host) -> Account:
    return host.account or Account(problems={"identity": "the account was not asked"})


def unknown(host: Host, fact: str, why: str) -> Finding:
    """A fact that AWS did not tell is no failure: the identity may just not have the right to ask."""
    problem = account(host).problems.get(fact, "there is no identity to ask with")
    return warn(f"AWS does not say: {problem}.", why, "let the identity read it, or look into the console")


def identity(host: Host) -> Finding:
    found = account(host)
    if found.number:
        return ok(f"{found.identity} in {found.number}")
    return fail(
        f"Nobody is logged in: {found.problems.get('identity', 'no answer')}.",
        "this target makes resources in your account",
        "`aws configure sso`, or set AWS_PROFILE",
    )


def region(host: Host) -> Finding:
    found = account(host)
    if found.regions is None:
        return unknown(host, "regions", "a region that is not enabled refuses everything")
    if found.region in found.regions:
        return ok(found.region)
    return fail(
        f"The region {found.region or 'none'} is not enabled in this account.",
        "every call there is refused",
        "set AWS_REGION to an enabled one, or enable it: `aws account enable-region --region-name NAME`",
    )


def plan(host: Host) -> Finding:
    found = account(host).plan
    if found is None:
        return unknown(host, "plan", "a free plan ends by itself and takes everything with it")
    if found["status"] not in {"ACTIVE", "NOT_STARTED"}:
        return fail(
            f"The account's plan {found['type']} is {found['status']}.",
            "nothing can be made in it",
            "upgrade to the paid plan in the console's Billing page",
        )
    if found["type"] != "FREE":
        return ok(f"{found['type']}: costs are billed")
    credit = "an unknown amount" if found["credits"] is None else f"{found['credits']:.2f} USD"
    return warn(
        f"The account is on the free plan: {credit} of credits until {found['ends'] or 'an unknown day'}.",
        "when they are used up everything stops, and some services are not in it",
        "`signalink cost -s eks` says what a month takes; profile aws-lite takes least",
    )


def free_types(host: Host) -> Finding:
    found = account(host).free_types
    if found is None:
        return unknown(host, "free types", "profile aws-lite is meant to run on a machine that is free")
    if not found:
        return warn(
            "No instance type is free for this account.",
            "profile aws-lite is billed then",
            "`signalink cost -s aws-lite`",
        )
    more = len(found) - SHOWN
    return ok(", ".join(sorted(found)[:SHOWN]) + (f" and {more} more" if more > 0 else "") + " are free-tier eligible")


def budget(host: Host) -> Finding:
    found = account(host).budgets
    if found is None:
        return unknown(host, "budgets", "without a budget nobody is told of a cost")
    if found:
        return ok(", ".join(sorted(found)[:SHOWN]))
    return warn(
        "The account has no budget.",
        "nobody is told when something costs more than it should",
        "a stack makes its own first; for the account: `aws budgets create-budget`",
    )


def quotas(host: Host) -> Finding:
    found = account(host).quotas
    missing = sorted(NEEDED.keys() - found.keys())
    short = [
        f"{name}: {limit:g}, {used} in use, {NEEDED[name]} needed"
        for name, (limit, used) in sorted(found.items())
        if name in NEEDED and limit - used < NEEDED[name]
    ]
    if short:
        return fail(
            f"Too little is left of a quota: {'; '.join(short)}.",
            "the stack would stop in the middle",
            "ask for more in the console's Service Quotas page, or delete what is not used",
        )
    if missing:
        return unknown(host, missing[0], f"the quota of {', '.join(missing)} may be too small")
    return ok(", ".join(f"{name} {limit:g}" for name, (limit, _) in sorted(found.items())))


def versions(host: Host) -> Finding:
    """The engine takes exactly the plugins of the wheels, and speaks their protocol."""
    if not host.wheels:
        return warn(
            "The stacks' environment is not there.", "the Pulumi program runs in it", "`make stacks` (once, 530 MB)"
        )
    engine = (host.programs["pulumi"].version or "").removeprefix("v")
    wanted = {name: host.wheels.get(wheel, "") for name, wheel in PLUGINS.items()}
    wrong = [f"pulumi is {engine}, its package {host.wheels['pulumi']}"] if differs(engine, host) else []
    wrong += [
        f"plugin {name} is {', '.join(host.plugins.get(name, ())) or 'not there'}, its package {version}"
        for name, version in wanted.items()
        if version and version not in host.plugins.get(name, ())
    ]
    if not wrong:
        return ok(", ".join(f"{name} {version}" for name, version in {"pulumi": engine, **wanted}.items()))
    install = "; ".join(f"`pulumi plugin install resource {name} {version}`" for name, version in wanted.items())
    return warn(
        "; ".join(wrong) + ".", "the engine loads the plugins of its packages' versions, or downloads them", install
    )


def differs(engine: str, host: Host) -> bool:
    return bool(engine) and engine != host.wheels.get("pulumi", engine)


RULES: Final = (
    Rule("pulumi-versions", versions, ("kind", "existing", "eks")),
    Rule("aws-identity", identity, ("eks",)),
    Rule("aws-region", region, ("eks",)),
    Rule("aws-plan", plan, ("eks",)),
    Rule("aws-free-types", free_types, ("eks",)),
    Rule("aws-budget", budget, ("eks",)),
    Rule("aws-quotas", quotas, ("eks",)),
)
