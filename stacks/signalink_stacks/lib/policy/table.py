"""Owns the list of rules with their codes, and the rule about money, which needs all resources at once. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from signalink_stacks.lib import prices
from signalink_stacks.lib.policy import data, network, rights, workloads
from signalink_stacks.lib.policy.thing import Facts, Rule, Thing


def within_limit(things: Sequence[Thing], facts: Facts) -> Iterator[str]:
    """P12: a month of the stack costs no more than its configuration allows."""
    resources = [prices.Resource(thing.type, thing.name, thing.props) for thing in things]
    why = prices.refusal(prices.price(resources, prices.load(), facts.today), facts.max_usd)
    if why:
        yield f"{why} Fix: something smaller, or a higher maxUsd"


_DOORS: Final = (network.open_doors, network.open_only_at_balancers)
RULES: Final = (
    Rule("P01", "nothing but 443 of the load balancer is open to the world", *_DOORS),
    Rule("P02", "databases, caches and brokers have no public address", network.public_data),
    Rule("P03", "data is encrypted at rest", data.at_rest),
    Rule("P04", "data is encrypted in transit", network.tls),
    Rule("P05", "everything says whose it is and until when", rights.tagged),
    Rule("P06", "namespaces admit only restricted pods", workloads.restricted),
    Rule("P07", "images are named by digest and come from known registries", workloads.images),
    Rule("P08", "containers say what they need", workloads.resources),
    Rule("P09", "no role may do everything to everything", rights.exact_actions),
    Rule("P10", "machines give credentials for a token only", data.metadata_tokens),
    Rule("P11", "production has backups and cannot be deleted by mistake", data.backups),
    Rule("P12", "a month costs no more than the limit", whole=within_limit),
    Rule("P13", "every resource names its provider", rights.explicit_provider),
    Rule("P14", "EKS is in standard support", data.support),
    Rule("P15", "no secret stands in clear", rights.no_clear_secret),
)
