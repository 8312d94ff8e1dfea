"""Owns running a target's rules and what follows: a report for `signalink doctor`, a refusal for `signalink up`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from signalink_stacks.doctor import cloud, folders, machine, network, probe, runtime
from signalink_stacks.doctor.host import Host, Target
from signalink_stacks.doctor.rule import Finding, Rule, Verdict
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.problems import EnvironmentBroken
from signalink_stacks.local.state import StateFolder

RULES: Final[tuple[Rule, ...]] = (*runtime.RULES, *cloud.RULES, *machine.RULES, *folders.RULES, *network.RULES)


@dataclass(frozen=True, slots=True)
class Checked:
    """One rule's name and what it found."""

    name: str
    finding: Finding


def examine(host: Host, rules: Sequence[Rule] = RULES) -> list[Checked]:
    """What each rule of the host's target finds, in the rules' order."""
    return [Checked(rule.name, rule.check(host)) for rule in rules if host.target in rule.targets]


def of(checked: Sequence[Checked], verdict: Verdict) -> list[Checked]:
    return [each for each in checked if each.finding.verdict is verdict]


def examine_here(target: Target, folder: StateFolder, wishes: Wishes) -> list[Checked]:
    """The same on this machine, for the platform that `wishes` ask for. Nothing is made or changed."""
    return examine(probe.gather(target, folder, wishes))


def require(checked: Sequence[Checked]) -> None:
    """EnvironmentBroken when a rule failed: every failure with its fix."""
    failed = of(checked, Verdict.FAIL)
    if not failed:
        return
    if len(failed) == 1:
        finding = failed[0].finding
        raise EnvironmentBroken(finding.what, next_step=finding.fix)
    lines = [f"  {each.name}: {each.finding.what} Fix: {each.finding.fix}" for each in failed]
    raise EnvironmentBroken(
        "\n".join((f"{len(failed)} things are in the way:", *lines)), next_step="mend them, then `signalink up`"
    )
