"""Owns `signalink up`: wishes from options, what the doctor found, progress against earlier starts, addresses."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from signalink_core.errors import ConfigurationError
from signalink_labs.cli import chosen, clusters, cost, output, progress
from signalink_labs.cli.clusters import TargetChoice
from signalink_stacks.clusters import plan
from signalink_stacks.doctor import checkup
from signalink_stacks.doctor.checkup import Checked
from signalink_stacks.doctor.rule import Verdict
from signalink_stacks.local import control, starts
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.state import RunState, StateFolder

KEY = re.compile(r"(?:SIGNALINK_)?([A-Z][A-Z0-9_]*)")
PREFIX = "SIGNALINK_"
MOST_PROCESSES = 20


class PortChoice(StrEnum):
    FIXED = "fixed"
    FREE = "free"


class Watch:
    """Says what the doctor found, then what to expect, then each step."""

    def __init__(
        self, display: progress.Display, estimate: starts.Estimate, choice: Sequence[str], *, silent: bool
    ) -> None:
        self._display = display
        self._estimate = estimate
        self._choice = choice
        self._silent = silent
        self.found: list[Checked] = []

    def checked(self, found: Sequence[Checked]) -> None:
        self.found = list(found)
        if self._silent:
            return
        for each in checkup.of(found, Verdict.WARN):
            output.text(f"warning: {each.finding.what} Fix: {each.finding.fix}")
        if not checkup.of(found, Verdict.FAIL):
            for line in (*self._choice, progress.heading(self._estimate)):
                output.text(line)

    def __call__(self, state: RunState) -> None:
        """A platform that was up before is no start."""
        if self.found:
            self._display(state)


def up(
    target: clusters.Target = TargetChoice.LOCAL,
    ports: Annotated[PortChoice, typer.Option(help="The manifests' ports, or any free ones.")] = PortChoice.FIXED,
    gateways: Annotated[int, typer.Option(min=1, max=20, help="How many gateway processes.")] = 1,
    apis: Annotated[int, typer.Option(min=1, max=20, help="How many api processes.")] = 1,
    scale: Annotated[
        list[str] | None,
        typer.Option("--scale", metavar="SERVICE=N", help="How many processes of any service; repeatable."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A SIGNALINK_ setting for every service (on clusters: a chart value); repeatable.",
        ),
    ] = None,
    only: chosen.Only = None,
    faults: Annotated[bool, typer.Option("--faults", help="Switch fault points on.")] = False,
    cluster: clusters.Cluster = plan.RELEASE,
    namespace: clusters.Namespace = plan.RELEASE,
    kubeconfig: clusters.Kubeconfig = None,
    context: clusters.Context = "",
    node_image: clusters.NodeImage = "",
    base_image: clusters.BaseImage = "",
    tag: clusters.Tag = "",
    values: clusters.Values = None,
    load: clusters.Load = None,
    by: clusters.By = clusters.Door.PULUMI,
    yes: clusters.Yes = False,
    max_usd: cost.MaxUsd = None,
    as_json: output.Json = False,
) -> None:
    """Start the whole platform, on this machine or on Kubernetes; a second call finds the first."""
    if target is not TargetChoice.LOCAL:
        chosen.require_local(only)
        named = clusters.credentials(kubeconfig, target)
        wanted = plan.Wishes(
            clusters.known(target), cluster, namespace, named, context, node_image,
            clusters.files(values), tuple(settings or []), tuple(load or []), yes,
        )  # fmt: skip
        clusters.up(wanted, clusters.Options(tag, base_image, by, max_usd), as_json=as_json)
        return
    folder = StateFolder()
    wishes = Wishes(
        instances={"gateway": gateways, "api": apis} | parse_scale(scale or []),
        settings=parse_settings(settings or []),
        faults=faults,
        free_ports=ports is PortChoice.FREE,
        only=chosen.wanted(only, folder),
    )
    estimate = starts.estimate(folder, wishes)
    with progress.display(estimate, output.console(), silent=as_json) as display:
        watch = Watch(display, estimate, chosen.heading(only, wishes.only), silent=as_json)
        started = control.up(folder, wishes, watch, checked=watch.checked)
    if as_json:
        output.document(as_document(started, watch.found))
    else:
        _print(started, chosen.refused(only, wishes.only, started.state))


def parse_scale(given: list[str]) -> dict[str, int]:
    """`relay=3` -> {"relay": 3}."""
    result: dict[str, int] = {}
    for each in given:
        name, _, count = each.partition("=")
        if not name or not count.isdecimal() or not 1 <= int(count) <= MOST_PROCESSES:
            raise ConfigurationError(
                f"--scale {each!r} is not SERVICE=N with N from 1 to {MOST_PROCESSES}.",
                next_step="for example `signalink up --scale relay=3`",
            )
        result[name] = int(count)
    return result


def parse_settings(given: list[str]) -> dict[str, str]:
    """`KEY=VALUE` with or without SIGNALINK_ -> settings without the prefix."""
    result: dict[str, str] = {}
    for each in given:
        key, equals, value = each.partition("=")
        match = KEY.fullmatch(key)
        if match is None or not equals:
            raise ConfigurationError(
                f"--set {each!r} is not KEY=VALUE with an upper-case key.",
                next_step="for example `signalink up --set LIMITS_POSTS_PER_SECOND_PER_USER=1000`",
            )
        result[match.group(1)] = value
    return result


def as_document(started: control.Started, checked: Sequence[Checked] = ()) -> dict[str, object]:
    state = started.state
    return {
        "warnings": [
            {"name": each.name, "what": each.finding.what, "fix": each.finding.fix}
            for each in checkup.of(checked, Verdict.WARN)
        ],
        "phase": state.phase,
        "already_running": started.again,
        "seconds": state.up_after,
        "steps": [asdict(step) for step in state.steps],
        "urls": state.urls,
        "engines": state.engines,
        "only": state.only,
        "off": state.off,
        "ports": {process.name: process.ports for process in state.processes},
    }


def _print(started: control.Started, refused: Sequence[str] = ()) -> None:
    state = started.state
    count = f"{len(state.processes)} processes"
    if started.again:
        output.text(f"Signalink is up already ({count}); nothing was started and no option was applied.")
    else:
        output.text(f"Signalink is up after {state.up_after:.1f} s ({count}).")
    for name, url in state.urls.items():
        output.text(f"  {name:<16} {url}")
    for line in (*chosen.missing(state.off), *refused):
        output.text(line)
    output.text("Next: `signalink status`, `signalink logs api -f`, `signalink down`")
