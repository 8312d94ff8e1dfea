"""Owns `signalink sweep`: what a stack left in the AWS account, and deleting it when asked twice."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from signalink_core.clock import utc_now
from signalink_core.errors import ConfigurationError
from signalink_labs.cli import output
from signalink_stacks.cloud import sweep as sweeping
from signalink_stacks.cloud.clients import Clients
from signalink_stacks.cloud.sweep import Leftover, Outcome

Region = Annotated[str, typer.Option(help="The region; else AWS_REGION's or the profile's.")]


def sweep(
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack whose tag is looked for.")] = "",
    expired: Annotated[bool, typer.Option("--expired", help="Every stack whose day of expiry has passed.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete what is found, after asking.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    region: Region = "",
    as_json: output.Json = False,
) -> int:
    """List what still carries a stack's tag. Exit 0 when nothing is left but what is kept on purpose, else 1."""
    if bool(stack) == expired:
        raise ConfigurationError("Say which stack, or --expired; not both.", next_step="`signalink sweep -s eks`")
    clients = Clients(region)
    stacks = [stack] if stack else sweeping.expired(clients, utc_now().date())
    found = {each: sweeping.find(clients, each) for each in stacks}
    for name, left in found.items():
        for each in left if not as_json else []:
            output.text(f"  {name}: {each.name} {each.identity}{' (kept: ' + each.kept + ')' if each.kept else ''}")
    outcomes = _deleted(clients, found, asked=yes or as_json) if delete else {}
    if as_json:
        output.document(as_document(clients.region, found, outcomes))
    else:
        for line in said(clients.region, found, outcomes, delete=delete):
            output.text(line)
    return 1 if left_over(found, outcomes) else 0


def _deleted(clients: Clients, found: dict[str, list[Leftover]], *, asked: bool) -> dict[str, list[Outcome]]:
    count = sum(each.kind is not None for left in found.values() for each in left)
    if not count:
        return {name: sweeping.delete(clients, left) for name, left in found.items()}
    if not asked:
        typer.confirm(f"Delete these {count} for ever?", abort=True)
    return {name: sweeping.delete(clients, left) for name, left in found.items()}


def left_over(found: dict[str, list[Leftover]], outcomes: dict[str, list[Outcome]]) -> int:
    if outcomes:
        return sum(bool(each.problem) for several in outcomes.values() for each in several)
    return sum(not each.kept for left in found.values() for each in left)


def said(
    region: str, found: dict[str, list[Leftover]], outcomes: dict[str, list[Outcome]], *, delete: bool
) -> Sequence[str]:
    """What could not be deleted with the reason, then the figure."""
    lines = [
        f"  not deleted: {each.leftover.name} {each.leftover.identity}: {each.problem}"
        for several in outcomes.values()
        for each in several
        if each.problem
    ]
    names = ", ".join(found) or "no stack has expired"
    left = left_over(found, outcomes)
    stay = sum(bool(each.kept) for several in found.values() for each in several)
    kept = f", {stay} kept" if stay else ""
    if delete:
        gone = sum(map(len, outcomes.values())) - left
        again = "; run it again, what holds others goes first" if left else ""
        return [*lines, f"sweep of {names} in {region}: {gone} deleted, {left} left{kept}{again}"]
    return [*lines, f"sweep of {names} in {region}: {left} left{kept}{'; --delete deletes them' if left else ''}"]


def as_document(region: str, found: dict[str, list[Leftover]], outcomes: dict[str, list[Outcome]]) -> dict[str, Any]:
    problems = {(name, each.leftover.identity): each.problem for name, several in outcomes.items() for each in several}
    return {
        "region": region,
        "left": left_over(found, outcomes),
        "kept": sum(bool(each.kept) for left in found.values() for each in left),
        "stacks": {
            name: [
                {
                    "kind": each.name,
                    "id": each.identity,
                    "deleted": problems.get((name, each.identity)) == "",
                    "problem": problems.get((name, each.identity)) or None,
                    "kept": each.kept or None,
                }
                for each in left
            ]
            for name, left in found.items()
        },
    }
