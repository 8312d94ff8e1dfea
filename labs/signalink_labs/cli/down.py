"""Owns `signalink down`: stop everything; the messages stay unless `--purge`."""

import time
from typing import Annotated

import typer

from signalink_core.errors import ConfigurationError
from signalink_labs.cli import clusters, output
from signalink_labs.cli.clusters import TargetChoice
from signalink_stacks.clusters import plan, project
from signalink_stacks.local import control
from signalink_stacks.local.state import StateFolder


def down(
    target: clusters.Target = TargetChoice.LOCAL,
    purge: Annotated[bool, typer.Option("--purge", help="Also delete all data and secrets.")] = False,
    cluster: clusters.Cluster = plan.RELEASE,
    namespace: clusters.Namespace = plan.RELEASE,
    kubeconfig: clusters.Kubeconfig = None,
    context: clusters.Context = "",
    yes: clusters.Yes = False,
    as_json: output.Json = False,
) -> None:
    """Stop the platform: no process, no port, no shared memory stays. Messages stay unless --purge."""
    if target is not TargetChoice.LOCAL:
        named = clusters.credentials(kubeconfig, target)
        wanted = plan.Wishes(clusters.known(target), cluster, namespace, named, context, yes=yes)
        clusters.down(wanted, as_json=as_json)
        return
    folder, began = StateFolder(), time.monotonic()
    if purge and (known := project.stacks(folder)):
        raise ConfigurationError(
            f"{folder.root} knows what the stack{'s' if len(known) > 1 else ''} {', '.join(known)} made on a cluster: "
            "without it nobody could take that down.",
            next_step="`signalink down --target kind` or `--target existing --context NAME` first.",
        )
    ran = control.down(folder, purge=purge)
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        output.document({"ran": ran, "purged": purge, "seconds": seconds})
        return
    output.text(f"Signalink stopped after {seconds} s." if ran else "Signalink was not running.")
    output.text(
        f"Deleted {folder.root}." if purge else f"The data stays in {folder.root}; `signalink up` shows it again."
    )
