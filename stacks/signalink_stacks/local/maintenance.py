"""Owns reaching the platform's Postgres as its owner for a command: the running one, or one started for the moment."""

from collections.abc import Iterator
from contextlib import contextmanager

from signalink_core.settings import PostgresSettings
from signalink_stacks.local import schema
from signalink_stacks.local.control import clear
from signalink_stacks.local.engines import PostgresEngine
from signalink_stacks.local.problems import EnvironmentBroken
from signalink_stacks.local.state import StateFolder


@contextmanager
def owner(folder: StateFolder, *, stopped: bool = False) -> Iterator[PostgresSettings]:
    """Settings of the role that owns the schemas. `stopped=True` demands that no service runs meanwhile."""
    if not (folder.root / "postgres" / "data").is_dir():
        raise EnvironmentBroken(f"There is no platform in {folder.root} yet.", next_step="`signalink up`")
    folder.open()
    running = folder.alive()
    if running is not None:
        if stopped:
            require_stopped(folder)
        yield schema.settings(folder.secrets, running.ports["postgres"], "owner")
        return
    with alone(folder), PostgresEngine(folder.root / "postgres", credentials=folder.secrets) as engine:
        yield schema.settings(folder.secrets, engine.port, "owner")


def require_stopped(folder: StateFolder) -> None:
    """EnvironmentBroken while the platform runs."""
    if folder.alive() is not None:
        raise EnvironmentBroken(
            "The platform is running, and its writers must not run while this is done.",
            next_step="`signalink down`, then this again, then `signalink up`",
        )


@contextmanager
def alone(folder: StateFolder) -> Iterator[None]:
    """Hold the supervisor's lock, so that nobody starts the platform on the same data meanwhile."""
    with folder.exclusive() as mine:
        if not mine:
            raise EnvironmentBroken("The platform is just being started or stopped.", next_step="try again")
        clear(folder)
        yield
