"""Owns `signalink doctor`: the rules of a target on this machine, each with its fix. Exit 3 when one of them fails."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from signalink_labs.cli import output
from signalink_stacks.doctor import checkup
from signalink_stacks.doctor.checkup import Checked
from signalink_stacks.doctor.rule import Verdict
from signalink_stacks.local import control
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.state import StateFolder

EXIT_BROKEN = 3
COLOURS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


class TargetChoice(StrEnum):
    LOCAL = "local"
    KIND = "kind"
    EXISTING = "existing"
    EKS = "eks"


def doctor(
    target: Annotated[TargetChoice, typer.Option(help="Where the platform is to run.")] = TargetChoice.LOCAL,
    as_json: output.Json = False,
) -> int:
    """Look whether the platform can run here: what is wrong, why it matters, and the fix."""
    folder = StateFolder()
    checked = checkup.examine_here(target.value, folder, Wishes(only=control.kept(folder)))
    if as_json:
        output.document(as_document(target, checked))
    else:
        _print(checked)
    return EXIT_BROKEN if checkup.of(checked, Verdict.FAIL) else 0


def as_document(target: TargetChoice, checked: Sequence[Checked]) -> dict[str, object]:
    return {
        "target": target.value,
        "counts": {verdict.value: len(checkup.of(checked, verdict)) for verdict in Verdict},
        "rules": [
            {
                "name": each.name,
                "verdict": each.finding.verdict.value,
                "what": each.finding.what,
                "why": each.finding.why,
                "fix": each.finding.fix,
            }
            for each in checked
        ],
    }


def _print(checked: Sequence[Checked]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for each in checked:
        found = each.finding
        reasons = (("why", found.why), ("fix", output.runnable(found.fix)))
        lines = [found.what, *(f"{word}: {text}" for word, text in reasons if text)]
        colour = COLOURS[found.verdict]
        table.add_row(f"[{colour}]{found.verdict.value}[/{colour}]", each.name, escape("\n".join(lines)))
    output.console().print(table)
    output.text(summary(checked))


def summary(checked: Sequence[Checked]) -> str:
    """`doctor: 22 ok, 1 warning, 0 failures`."""
    good, warnings, failures = (len(checkup.of(checked, verdict)) for verdict in Verdict)
    plural = "" if warnings == 1 else "s"
    return f"doctor: {good} ok, {warnings} warning{plural}, {failures} failure{'' if failures == 1 else 's'}"
