"""Owns the pack as the engine runs it: every rule mandatory, each told of a resource before it is made."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

import pulumi
import pulumi_policy as engine
from pulumi.runtime.config import CONFIG, get_config_env

from signalink_stacks.layers import reading
from signalink_stacks.lib import config
from signalink_stacks.lib.policy.table import RULES
from signalink_stacks.lib.policy.thing import Facts, Rule, Thing
from signalink_stacks.lib.settings import Config

NAME: Final = "signalink"
DEFAULT: Final = ("", "docker.io")
"""Where images without a host come from."""


def start() -> engine.PolicyPack:
    """Called once by stacks/policy; from then on the engine asks."""
    policies = [policy for rule in RULES for policy in _policies(rule)]
    return engine.PolicyPack(name=NAME, enforcement_level=engine.EnforcementLevel.MANDATORY, policies=policies)


def _policies(rule: Rule) -> list[engine.Policy]:
    found: list[engine.Policy] = []
    if rule.each is not None:
        found.append(engine.ResourceValidationPolicy(rule.code, rule.title, _each(rule)))
    if rule.whole is not None:
        name = f"{rule.code}-whole" if rule.each else rule.code
        found.append(engine.StackValidationPolicy(name, rule.title, _whole(rule)))
    return found


def _each(rule: Rule) -> Any:
    def validate(args: engine.ResourceValidationArgs, report: engine.ReportViolation) -> None:
        assert rule.each is not None  # noqa: S101 - for the type; such a rule gets no policy
        thing = Thing(args.resource_type, args.name, args.props, args.urn, args.provider.name if args.provider else "")
        for message in rule.each(thing, facts()):
            report(f"{args.name}: {message}", None)

    return validate


def _whole(rule: Rule) -> Any:
    def validate(args: engine.StackValidationArgs, report: engine.ReportViolation) -> None:
        assert rule.whole is not None  # noqa: S101 - for the type; such a rule gets no policy
        things = [_thing(resource) for resource in args.resources]
        for message in rule.whole(things, facts()):
            report(message, None)

    return validate


def _thing(resource: engine.PolicyResource) -> Thing:
    uses: Mapping[str, list[engine.PolicyResource]] = resource.property_dependencies
    return Thing(
        resource.resource_type,
        resource.name,
        resource.props,
        resource.urn,
        resource.provider.name if resource.provider else "",
        {key: frozenset(each.urn for each in found) for key, found in uses.items()},
    )


def facts() -> Facts:
    """Of the stack that is looked at. A configuration that is wrong is the program's to report: the strictest holds."""
    today = datetime.now(UTC).date()
    settings, faults = config.read(pulumi.get_stack(), reading.raw({**get_config_env(), **CONFIG.get()}))
    return Facts(today=today, prod=True) if faults else of(settings, today)


def of(settings: Config, today: date) -> Facts:
    """What a configuration says to the rules."""
    named = {registry.partition("/")[0] for registry in (settings.images.registry, *settings.images.map.values())}
    return Facts(
        today=today,
        prod=settings.environment == "prod",
        max_usd=settings.max_usd,
        by_tag=settings.images.dev,
        registries=tuple(sorted(named - {""})) or DEFAULT,
    )
