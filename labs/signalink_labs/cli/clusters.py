"""Owns `signalink up` and `down` for the targets kind and existing: wishes from options, steps shown, addresses."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from signalink_core.errors import ConfigurationError
from signalink_labs.cli import cost, delivering, output, stacking
from signalink_stacks.clusters import definitions, migrating, ownership, plan, run
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


class Door(StrEnum):
    PULUMI = "pulumi"
    HELM = "helm"


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
By = Annotated[Door, typer.Option(help="Who installs the charts on a cluster: a stack of Pulumi, or Helm alone.")]
Yes = Annotated[bool, typer.Option("--yes", help="Also on a cluster that is called like production.")]
NOT_USED: frozenset[str] = frozenset({"pulumi", "pulumi-versions"})
"""Rules of the doctor's target that are about tools which Helm alone does without."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `up` was asked for beside the wishes. `tag`: images that are built already."""

    tag: str = ""
    base_image: str = ""
    by: Door = Door.PULUMI
    max_usd: float | None = None


def up(wishes: Wishes, options: Options, *, as_json: bool) -> None:
    """Doctor, cluster, images, charts, by the door that was asked for; a second call finds what is there."""
    say: Say = (lambda _: None) if as_json else output.text
    began, access = time.monotonic(), plan.check(wishes)
    migrating.require_jobs({path: Path(path).read_text(encoding="utf-8") for path in wishes.values}, wishes.settings)
    if options.by is Door.PULUMI:
        ground = grounded(wishes, options, say)
        stacking.up(stacking.Stacked(wishes, access, images.root()), ground, options.max_usd, say)
    else:
        _by_helm(wishes, access, options, say)
    commands = plan.addresses(wishes, access, public_ports())
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        document = {"target": wishes.target, "context": access.context, "seconds": seconds, "reach": commands}
        output.document(document | {"by": options.by.value})
        return
    output.text(f"Signalink is up on {access.context} after {seconds} s. To reach it, each in a shell of its own:")
    for command in commands:
        output.text(f"  {command}")
    again = " ".join(access.helm("test", plan.RELEASE, f"--namespace={wishes.namespace}"))
    which = f"--cluster {wishes.cluster}" if wishes.target == "kind" else f"--context {wishes.context}"
    which += "" if wishes.namespace == plan.RELEASE else f" --namespace {wishes.namespace}"
    more = f"`{again}`, " if options.by is Door.HELM else ""
    output.text(f"Then open http://localhost:8000. Next: {more}`signalink down --target {wishes.target} {which}`")


def _by_helm(wishes: Wishes, access: plan.Access, options: Options, say: Say) -> None:
    """One release of the umbrella chart."""
    root = images.root()
    examine(wishes, options.by, say)
    if options.max_usd is not None:
        cost.require(wishes.target, options.max_usd)
    run.steps(plan.cluster(wishes, run.clusters()), root, say)
    ownership.require(ownership.look(access, wishes.namespace), "helm", "", wishes)
    built = built_images(wishes, options, say)
    run.steps([*plan.load(wishes, built), *plan.install(wishes, access, built)], root, say)


def down(wishes: Wishes, *, as_json: bool) -> None:
    """The whole kind cluster, or of another one only what is ours, by the door that it came through."""
    say: Say = (lambda _: None) if as_json else output.text
    access, root = plan.check(wishes), images.root()
    stacked = stacking.Stacked(wishes, access, root)
    if wishes.target == "kind":
        run.steps(plan.remove(wishes, access), root, say)
        stacking.forget(stacked, say)
    else:
        if not stacking.down(stacked, ownership.look(access, wishes.namespace), say):
            run.steps(plan.remove(wishes, access), root, say)
        definitions.remove(access, wishes.namespace, root, say)
    if as_json:
        output.document({"target": wishes.target, "removed": True})
        return
    output.text("Signalink is gone from there.")


def examine(wishes: Wishes, by: Door, say: Say) -> None:
    """What the doctor says of this target; a failure of a tool that is used here refuses the start."""
    unused = NOT_USED if by is Door.HELM else frozenset[str]()
    checked = [
        each for each in checkup.examine_here(wishes.target, StateFolder(), LocalWishes()) if each.name not in unused
    ]
    for each in checkup.of(checked, Verdict.WARN):
        say(f"warning: {each.finding.what} Fix: {each.finding.fix}")
    checkup.require(checked)


def grounded(wishes: Wishes, options: Options, say: Say) -> stacking.Ground:
    """What a stack stands on: the doctor's word, then the cluster, then our images in it."""

    def make() -> delivering.Images:
        built = built_images(wishes, options, say)
        run.steps(plan.load(wishes, built), images.root(), say)
        return {"dev": True, "tag": built.tag} if built.tag else None

    def cluster() -> bool:
        steps = plan.cluster(wishes, run.clusters())
        run.steps(steps, images.root(), say)
        return bool(steps)

    return stacking.Ground(lambda: examine(wishes, options.by, say), cluster, make)


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
