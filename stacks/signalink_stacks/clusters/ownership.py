"""Owns that one namespace takes one door: Helm's release or one stack of Pulumi, never both, never somebody else's.

A stack makes its namespace and deletes it with all that is in it; so one that was there before it is not taken.
"""

import json
from dataclasses import dataclass
from typing import Literal

from signalink_core.errors import ConfigurationError
from signalink_stacks.clusters import run
from signalink_stacks.clusters.plan import RELEASE, Access, Wishes
from signalink_stacks.lib import tags

Door = Literal["pulumi", "helm"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a namespace is. `stack`: whose it is by its label; `release`: Helm has one of ours in it."""

    there: bool = False
    stack: str = ""
    release: bool = False

    @property
    def door(self) -> Door | None:
        """Which one opened it; None: neither."""
        return "pulumi" if self.stack else "helm" if self.release else None


def look(access: Access, namespace: str) -> Found:
    """DependencyUnavailable when the cluster does not answer."""
    text = run.ask(access.kubectl("get", "namespace", namespace, "--ignore-not-found", "--output=json"))
    if not text.strip():
        return Found()
    labels = json.loads(text)["metadata"].get("labels") or {}
    selector = f"--selector=owner=helm,name={RELEASE}"
    release = run.ask(access.kubectl("get", "secrets", f"--namespace={namespace}", selector, "--output=name"))
    return Found(True, str(labels.get(tags.STACK, "")), bool(release.strip()))


def require(found: Found, wanted: Door, stack: str, wishes: Wishes) -> None:
    """ConfigurationError when the namespace is another door's, another stack's or somebody else's."""
    if problem := refusal(found, wanted, stack, wishes):
        raise ConfigurationError(problem[0], next_step=problem[1])


def refusal(found: Found, wanted: Door, stack: str, wishes: Wishes) -> tuple[str, str] | None:
    """What is in the way, and what to do; None when nothing is."""
    place = f"The namespace {wishes.namespace}"
    other = "or name another one with --namespace"
    away = f"`signalink down --target {wishes.target}` with the same options first"
    if found.release and wanted == "pulumi":
        what = f"{place} holds Helm's release {RELEASE}; one namespace takes one of Helm and Pulumi."
        return what, f"stay with it: --by helm; to change, {away}; {other}"
    if found.stack and (wanted == "helm" or found.stack != stack):
        what = f"{place} belongs to the stack {found.stack} of Pulumi; one namespace takes one door."
        return what, f"stay with it: --by pulumi; to change, {away}; {other}" if wanted == "helm" else (
            f"work on it where it was made (`signalink deploy -s {found.stack}`), {other}"
        )
    if wanted == "pulumi" and found.there and not found.stack:
        return (
            f"{place} is there already, and no stack made it: taking the stack down would delete all that is in it.",
            f"name another one with --namespace, delete it, or give it away: `kubectl label namespace "
            f"{wishes.namespace} {tags.STACK}={stack}`",
        )
    return None
