"""Owns `signalink up` and `down` for the targets kind and existing: wishes from options, steps shown, addresses."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from signalink_core.errors import ConfigurationError
from signalink_labs.cli import output
from signalink_stacks.clusters import plan, run
from signalink_stacks.clusters.plan import Built, Wishes
from signalink_stacks.containers import build
from signalink_stacks.doctor import checkup
from signalink_stacks.doctor.rule import Verdict
from signalink_stacks.lib import images
from signalink_stacks.local import discovery
from signalink_stacks.local.layout import Wishes as LocalWishes
from signalink_stacks.local.state import StateFolder

Say = Callable[[str], None]


class TargetChoice(StrEnum):
    LOCAL = "local"
    KIND = "kind"
    EXISTING = "existing"


Target = Annotated[TargetChoice, typer.Option(help="This machine, a kind cluster on it, or a cluster you name.")]
Cluster = Annotated[str, typer.Option(help="Name of the kind cluster.")]
Namespace = Annotated[str, typer.Option(help="Namespace of the release (kind, existing).")]
Kubeconfig = Annotated[Path | None, typer.Option(help="The kubeconfig file; else kubectl's own.")]
Context = Annotated[str, typer.Option(help="Context of the cluster; needed for existing.")]
NodeImage = Annotated[str, typer.Option(help="Node image of a new kind cluster.")]
BaseImage = Annotated[str, typer.Option(help="Base of our images instead of charts/images.yaml's (kind).")]
Values = Annotated[list[Path] | None, typer.Option(help="A file of chart values; repeatable.")]
Load = Annotated[list[str] | None, typer.Option(help="A further image for the nodes of kind; repeatable.")]
Tag = Annotated[str, typer.Option(help="Images of this tag are built already (kind).")]
Yes = Annotated[bool, typer.Option("--yes", help="Also on a cluster that is called like production.")]
NOT_USED: frozenset[str] = frozenset({"pulumi"})
"""Rules of the doctor's target that are about tools which the charts alone do without."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `up` was asked for beside the wishes. `tag`: images that are built already."""

    tag: str = ""
    base_image: str = ""


def up(wishes: Wishes, options: Options, *, as_json: bool) -> None:
    """Doctor, cluster, images, charts; a second call finds what is there."""
    say: Say = (lambda _: None) if as_json else output.text
    began, access, root = time.monotonic(), plan.check(wishes), images.root()
    examine(wishes, say)
    run.steps(plan.cluster(wishes, run.clusters()), root, say)
    built = built_images(wishes, options, say)
    run.steps([*plan.load(wishes, built), *plan.install(wishes, access, built)], root, say)
    commands = plan.addresses(wishes, access, public_ports())
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        output.document({"target": wishes.target, "context": access.context, "seconds": seconds, "reach": commands})
        return
    output.text(f"Signalink is up on {access.context} after {seconds} s. To reach it, each in a shell of its own:")
    for command in commands:
        output.text(f"  {command}")
    again = " ".join(access.helm("test", plan.RELEASE, f"--namespace={wishes.namespace}"))
    which = f"--cluster {wishes.cluster}" if wishes.target == "kind" else f"--context {wishes.context}"
    output.text(f"Then open http://localhost:8000. Next: `{again}`, `signalink down --target {wishes.target} {which}`")


def down(wishes: Wishes, *, as_json: bool) -> None:
    """The whole kind cluster, or of another one only what is ours."""
    say: Say = (lambda _: None) if as_json else output.text
    run.steps(plan.remove(wishes, plan.check(wishes)), images.root(), say)
    if as_json:
        output.document({"target": wishes.target, "removed": True})
        return
    output.text("Signalink is gone from there.")


def examine(wishes: Wishes, say: Say) -> None:
    """What the doctor says of this target; a failure of a tool that is used here refuses the start."""
    checked = [
        each for each in checkup.examine_here(wishes.target, StateFolder(), LocalWishes()) if each.name not in NOT_USED
    ]
    for each in checkup.of(checked, Verdict.WARN):
        say(f"warning: {each.finding.what} Fix: {each.finding.fix}")
    checkup.require(checked)


def built_images(wishes: Wishes, options: Options, say: Say) -> Built:
    """kind gets images of this checkout (built now, or `--tag`); another cluster what the charts pin."""
    if wishes.target != "kind":
        if options.tag or options.base_image:
            raise ConfigurationError(
                "--tag and --base-image are for kind: another cluster pulls what the charts pin.",
                next_step="push the images and give their digests as values (`signalink images pin --values FILE`).",
            )
        return Built()
    catalogue = images.load()
    source = build.source(images.root())
    tag = options.tag or source.tag
    if not options.tag:
        build.run(catalogue.services(), catalogue, source, tag=tag, base=options.base_image, say=say)
    return Built(tag, tuple(f"{image.repository}:{tag}" for image in catalogue.services()))


def public_ports() -> list[tuple[str, int]]:
    return [(each.name, each.ports.http) for each in discovery.manifests() if each.ports.http is not None]


def known(target: TargetChoice) -> plan.Target:
    """The target of a plan; ConfigurationError for the local one, which has none."""
    if target is TargetChoice.KIND:
        return "kind"
    if target is TargetChoice.EXISTING:
        return "existing"
    raise ConfigurationError("The local target has no plan of commands.", next_step="`signalink up`")


def credentials(given: Path | None, target: TargetChoice) -> str:
    """Whole path of the kubeconfig; kind writes one that is not there yet, for a cluster you name it must be."""
    if given is not None and target is TargetChoice.KIND and given.parent.is_dir():
        return str(given.resolve())
    return next(iter(files([given] if given else [])), "")


def files(given: list[Path] | None) -> tuple[str, ...]:
    """Whole paths, since commands run in the checkout; ConfigurationError for one that is not there."""
    for path in given or []:
        if not path.is_file():
            raise ConfigurationError(f"{path} is not there.", next_step="name a file that is.")
    return tuple(str(path.resolve()) for path in given or [])
