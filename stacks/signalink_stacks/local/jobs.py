"""Owns the one-off jobs of a start that need secrets of the administrators: `python -m ...jobs NAME STATE_FOLDER`.

A job is a child process, so that its memory is gone when it ends; secrets are read from the state folder's files.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from signalink_core import principals
from signalink_core.errors import SignalinkError
from signalink_core.settings import KafkaSettings
from signalink_stacks.local.engines import EngineFailed
from signalink_stacks.local.ports import LOOPBACK
from signalink_stacks.local.state import StateFolder


def runtime(folder: StateFolder) -> None:
    from signalink_stacks.local.engines import kafka

    kafka.setup()


def keys(folder: StateFolder) -> None:
    """A signing key, when there is none yet."""
    from signalink_core.auth.keys import KeyRing

    path = folder.secrets.folder("auth-keys")
    if not any(path.glob("*.pem")):
        KeyRing.generate(path)


def roles(folder: StateFolder) -> None:
    from signalink_stacks.local import schema

    asyncio.run(schema.bootstrap(folder.secrets, _port(folder, "postgres")))


def access(folder: StateFolder) -> None:
    from signalink_core.kafka import access as kafka_access

    settings = KafkaSettings(
        bootstrap=f"{LOOPBACK}:{_port(folder, 'kafka')}",
        user=principals.ADMIN,
        password_file=folder.secrets.path(f"kafka-{principals.ADMIN}"),
        security="sasl_plaintext",
    )
    asyncio.run(kafka_access.apply(settings))


def _port(folder: StateFolder, engine: str) -> int:
    state = folder.read()
    if state is None:
        raise EngineFailed(f"{folder.state_file} is not there: no platform was started from {folder.root}")
    return state.ports[engine]


JOBS: Final[dict[str, Callable[[StateFolder], None]]] = {
    "access": access,
    "keys": keys,
    "roles": roles,
    "runtime": runtime,
}


def main(arguments: list[str]) -> int:
    """Exit 0 done, 1 failed with one line that says why, 64 wrong use."""
    if len(arguments) != 2 or arguments[0] not in JOBS:
        sys.stderr.write(f"usage: python -m signalink_stacks.local.jobs {'|'.join(JOBS)} STATE_FOLDER\n")
        return 64
    try:
        JOBS[arguments[0]](StateFolder(Path(arguments[1])))
    except (EngineFailed, SignalinkError, OSError) as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
