"""Owns `signalink up|down --target kind|existing` by Pulumi: the project, whose namespace, then the shared steps."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_labs.cli import delivering
from signalink_stacks.cloud import graph
from signalink_stacks.clusters import ownership, plan, recovery, run, stacked
from signalink_stacks.clusters.plan import Access, Wishes
from signalink_stacks.clusters.project import Project
from signalink_stacks.delivery import promises
from signalink_stacks.local.state import StateFolder

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ground:
    """What is below a stack. `cluster` answers whether it was made just now, `images` what the stack runs then."""

    examine: Callable[[], None]
    cluster: Callable[[], bool]
    images: Callable[[], delivering.Images]


@dataclass(frozen=True, slots=True)
class Stacked:
    """One platform on one cluster as a stack."""

    wishes: Wishes
    access: Access
    root: Path

    @property
    def project(self) -> Project:
        return Project(StateFolder(), stacked.name(self.wishes, self.access), self.root)


def up(platform: Stacked, ground: Ground, max_usd: float | None, say: Say) -> None:
    """The steps of every target; the cluster is made, and the namespace looked at, when nothing refuses the start."""
    project = platform.project
    require_environment(platform.root)

    def lay() -> delivering.Images:
        if ground.cluster() and platform.wishes.target == "kind":
            recovery.restart(project)
        ownership.require(
            ownership.look(platform.access, platform.wishes.namespace), "pulumi", project.stack, platform.wishes
        )
        recovery.recover(project, say)
        return pictured(platform.wishes, ground.images())

    def examine() -> None:
        ground.examine()
        configure(platform)

    delivering.deliver(
        delivering.Delivery(
            engine=project.engine,
            root=platform.root,
            promise=lambda outputs: promises.of(graph.record(project.stack, platform.root, config=project.config), say)(
                outputs
            ),
            examine=examine,
            ground=lay,
            config=project.config,
            back=False,
        ),
        max_usd,
        say,
    )
    say(f"By hand: `cd {project.folder} && . ./env && pulumi preview -s {project.stack}`")


def configure(platform: Stacked) -> None:
    """The project and what the stack says, with what was asked for on top."""
    project, wishes = platform.project, platform.wishes
    project.prepare()
    base, kept = project.base(wishes.target), project.said()
    project.say(stacked.settings(wishes, platform.access, base, kept, asked(wishes)))


def pictured(wishes: Wishes, made: delivering.Images) -> delivering.Images:
    """The stack's key `images`: those that were made, and what else the values that were named say of images."""
    return None if made is None else stacked.pictured(asked(wishes)) | dict(made)


def asked(wishes: Wishes) -> stacked.Table:
    """The umbrella's values of the files and settings that were named."""
    texts = [Path(path).read_text(encoding="utf-8") for path in wishes.values]
    return stacked.values(texts, wishes.settings)


def down(platform: Stacked, found: ownership.Found, say: Say) -> bool:
    """Destroy the stack, and forget it. False when Helm's door is meant: no stack has the namespace."""
    project = platform.project
    if found.stack and (found.stack != project.stack or not project.known()):
        raise ConfigurationError(
            f"The namespace {platform.wishes.namespace} belongs to the stack {found.stack} of Pulumi, which "
            "`signalink up` did not make from this state folder.",
            next_step=f"`pulumi destroy -s {found.stack}` where it was made, or SIGNALINK_STATE=THAT_FOLDER",
        )
    if not project.known() or (found.release and not found.stack):
        return False
    require_environment(platform.root)
    project.prepare()
    recovery.recover(project, say)
    release(platform, say)
    say(f"destroy: everything of the stack {project.stack}, its namespace and its messages too")
    project.engine("destroy", "--yes", "--skip-preview")
    project.forget(everything=True)
    return True


def release(platform: Stacked, say: Say) -> None:
    """Let go of what people made by the operator; a stack that never got so far has none."""
    try:
        run.steps([plan.release(platform.wishes, platform.access)], platform.root, say)
    except DependencyUnavailable as error:
        say(
            f"warning: {error.detail.splitlines()[-1]} Going on: what is held by its finalizer will hold the namespace."
        )


def forget(platform: Stacked, say: Say) -> None:
    """Of a kind cluster that is gone, where a stack was in it."""
    project = platform.project
    if project.known():
        say(f"state: forgetting the stack {project.stack}")
        recovery.unlock(project)
        project.forget(everything=True)


def require_environment(root: Path) -> None:
    """ConfigurationError unless the Pulumi program can run."""
    if not (root / graph.ENVIRONMENT).exists():
        raise ConfigurationError(
            "The stacks' environment .venv-stacks is not there; a cluster is installed by the Pulumi program in it.",
            next_step="`make stacks` makes it, once (530 MB); or do without: --by helm",
        )
