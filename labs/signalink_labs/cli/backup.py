"""Owns `signalink backup` and `signalink restore`: the platform's Postgres into a file, and back from it.

On this machine its own Postgres; on a cluster that of our chart, or the steps around the tools of another one.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from signalink_core.errors import ConfigurationError
from signalink_labs.cli import clusters, output
from signalink_labs.cli.clusters import TargetChoice
from signalink_stacks.backups import files
from signalink_stacks.backups.settling import Restored
from signalink_stacks.clusters import plan, restoring
from signalink_stacks.clusters.writers import Namespace
from signalink_stacks.local import backup as backups
from signalink_stacks.local.state import StateFolder

File = Annotated[Path, typer.Argument(help="The file, in Postgres's custom format.")]
QUESTION = "Replace all data of this platform by the backup?"


def backup(
    file: File,
    target: clusters.Target = TargetChoice.LOCAL,
    cluster: clusters.Cluster = plan.RELEASE,
    namespace: clusters.Namespace = plan.RELEASE,
    kubeconfig: clusters.Kubeconfig = None,
    context: clusters.Context = "",
    as_json: output.Json = False,
) -> None:
    """Write all of the platform's data to a file that only its owner reads; the platform may run."""
    if target is TargetChoice.LOCAL:
        size = backups.write(StateFolder(), file.absolute())
    else:
        place = named(target, cluster, namespace, kubeconfig, context, yes=True)
        size = restoring.write(place, file.absolute())
    if as_json:
        output.document({"file": str(file), "bytes": size, "sha256": files.sha256(file)})
        return
    output.text(f"{file} holds the platform's data ({size / 1000:.0f} kB). It has everybody's messages: keep it safe.")


def restore(
    file: Annotated[Path | None, typer.Argument(help="The file, in Postgres's custom format.")] = None,
    before: Annotated[
        bool, typer.Option("--before", help="Clusters: only stop what writes; another tool restores Postgres next.")
    ] = False,
    after: Annotated[
        bool, typer.Option("--after", help="Clusters: another tool has restored Postgres; settle the log and start.")
    ] = False,
    target: clusters.Target = TargetChoice.LOCAL,
    cluster: clusters.Cluster = plan.RELEASE,
    namespace: clusters.Namespace = plan.RELEASE,
    kubeconfig: clusters.Kubeconfig = None,
    context: clusters.Context = "",
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Replace the present data without asking, also where it is called like production."),
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Replace the platform's data by a backup. What came after the backup is gone. On this machine it must be down."""
    if [file is not None, before, after].count(True) != 1:
        raise ConfigurationError("Restore from what?", next_step="name one: FILE, --before or --after.")
    if target is TargetChoice.LOCAL:
        _local(file, yes=yes, as_json=as_json)
        return
    place = named(target, cluster, namespace, kubeconfig, context, yes=yes)
    say: clusters.Say = (lambda _: None) if as_json else output.text
    if before:
        _before(place, say, as_json=as_json)
        return
    if file is not None:
        files.require(file)
        _ask(yes, as_json)
    done = restoring.after(place, say) if file is None else restoring.restore(place, file.absolute(), say)
    _told(done.restored, lambda: output.text(f"Ready again: {_listed(done.started)}"), as_json, started=done.started)


def _local(file: Path | None, *, yes: bool, as_json: bool) -> None:
    if file is None:
        raise ConfigurationError(
            "--before and --after are for a Postgres of a cluster or beside it.",
            next_step="`signalink restore FILE`, or `--target existing --context NAME`.",
        )
    _ask(yes, as_json)
    _told(backups.restore(StateFolder(), file.absolute()), lambda: output.text("Next: `signalink up`"), as_json)


def _before(place: Namespace, say: clusters.Say, *, as_json: bool) -> None:
    stopped = restoring.before(place, say)
    if as_json:
        output.document({"stopped": stopped})
        return
    output.text("Nothing writes any more. Next: restore Postgres by its own tools, then `signalink restore --after`")


def _ask(sure: bool, as_json: bool) -> None:
    if not sure and as_json:
        raise ConfigurationError("All data of this platform would be replaced.", next_step="with --json say --yes too.")
    if not sure:
        typer.confirm(QUESTION, abort=True)


def _told(done: Restored, following: Callable[[], None], as_json: bool, **more: object) -> None:
    if as_json:
        output.document(asdict(done) | more)
        return
    moved, events = sum(done.offsets.values()), sum(done.events.values())
    output.text(f"The log is at epoch {done.epoch}; {moved} offsets stand at the end of their topics.")
    output.text(f"{events} events are published again, and skipped by who had them.")
    following()


def _listed(started: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in started.items()) or "nothing was running before"


def named(
    target: TargetChoice, cluster: str, namespace: str, kubeconfig: Path | None, context: str, *, yes: bool
) -> Namespace:
    """The namespace of a cluster that the options name; ConfigurationError as `up` has it."""
    path = clusters.credentials(kubeconfig, target)
    wishes = plan.Wishes(clusters.known(target), cluster, namespace, path, context, yes=yes)
    return Namespace(plan.check(wishes), namespace)
