"""Owns the pack as the engine runs it: every rule mandatory, each told of a resource before it is made."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import pulumi_policy as engine
from pulumi_policy import policy
from pulumi_policy.proxy import UnknownValueError

from signalink_stacks.layers import reading
from signalink_stacks.lib import config
from signalink_stacks.lib.policy import workloads
from signalink_stacks.lib.policy.table import RULES
from signalink_stacks.lib.policy.thing import Facts, Rule, Thing
from signalink_stacks.lib.settings import Config

_LATER: Final = object()
_TOLD: Final[list[tuple[str, dict[str, str]]]] = []
NAME: Final = "signalink"
DEFAULT: Final = ("",)
"""Where images without a host come from."""


def start() -> engine.PolicyPack:
    """Called once by stacks/policy; from then on the engine asks."""
    policy._PolicyAnalyzerServicer = _Told  # type: ignore[misc]  # the SDK has no other place for it
    policies = [each for rule in RULES for each in _policies(rule)]
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
        thing = Thing(
            args.resource_type, args.name, known(args.props), args.urn, args.provider.name if args.provider else ""
        )
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
        known(resource.props),
        resource.urn,
        resource.provider.name if resource.provider else "",
        {key: frozenset(each.urn for each in found) for key, found in uses.items()},
    )


def known(props: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a resource's properties now; a rule is asked again when the rest is, before it is made."""
    return {key: value for key in props if (value := _known(props, key)) is not _LATER}


def _known(holder: Any, key: Any) -> Any:
    try:
        value = holder[key]
    except UnknownValueError:
        return _LATER
    if isinstance(value, Mapping):
        return known(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [None if (each := _known(value, place)) is _LATER else each for place in range(len(value))]
    return value


def facts() -> Facts:
    """Of the stack that is looked at. A configuration that is wrong is the program's to report: the strictest holds."""
    today = datetime.now(UTC).date()
    if not _TOLD:
        return Facts(today=today, prod=True)
    (stack, everything), *_ = _TOLD
    settings, faults = config.read(stack, reading.judged(everything))
    return Facts(today=today, prod=True) if faults else of(settings, today)


class _Told(policy._PolicyAnalyzerServicer):
    """The SDK's own keeps the tags of what the engine tells it of a stack; this keeps its name and settings too."""

    def ConfigureStack(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name in Pulumi's protocol
        _TOLD[:] = [(request.stack, dict(request.config))]
        return super().ConfigureStack(request, context)


def of(settings: Config, today: date) -> Facts:
    """What a configuration says to the rules."""
    named = {workloads.host_of(f"{place}/-") for place in (settings.images.registry, *settings.images.map.values())}
    return Facts(
        today=today,
        prod=settings.environment == "prod",
        max_usd=settings.max_usd,
        by_tag=settings.images.dev,
        registries=tuple(sorted(named - {""})) or DEFAULT,
    )
