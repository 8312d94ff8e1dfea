"""`python -m signalink_stacks.containers.secrets`: make every secret once, and give each container only its own.

Runs as root in a container of its own, without a network and with CAP_CHOWN alone, before anything else starts. The
folder `--all` keeps all secrets (root, 0600); each `--for FOLDER=NAME,...` gets copies that only the containers' user
can read. What engines need instead of words (an ACL file, Kafka's properties) is made from them here too.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from signalink_core.auth.keys import KeyRing
from signalink_core.errors import SignalinkError
from signalink_core.provision import kafka, redis
from signalink_core.provision.secretfiles import FOLDER, SecretFiles
from signalink_stacks.local.credentials import Credentials, write_private

USER: Final = 10001
KEYS: Final = "auth-keys"
ACL: Final = "users.acl"
NODE: Final = "kafka-node"
"""Names that stand for what is made from secrets: Redis' ACL file, Kafka's properties with its format's arguments."""
PLACE: Final = FOLDER.name
"""In every volume, which containers see as the folder above."""


def keys(everything: Credentials) -> Path:
    """The folder of signing keys, with one when there was none."""
    folder = everything.folder(KEYS)
    if not any(folder.glob("*.pem")):
        KeyRing.generate(folder)
    return folder


def give(everything: Credentials, target: Path, name: str, options: argparse.Namespace) -> None:
    """Put one named secret, or what is made from secrets, into a container's volume."""
    place = target / PLACE
    if name == KEYS:
        for pem in sorted(keys(everything).glob("*.pem")):
            put(target / f"{PLACE}-{KEYS}" / pem.name, pem.read_text(), options.user)
    elif name == ACL:
        put(place / ACL, redis.acl(SecretFiles(everything.directory)), options.user)
    elif name == NODE:
        kafka.prepare(
            SecretFiles(everything.directory), place, options.cluster_id, kafka.Place(options.kafka), seen_at=FOLDER
        )
        for file in (kafka.PROPERTIES, kafka.ARGUMENTS):
            os.chown(place / file, options.user, options.user)
    else:
        put(place / name, everything.read(name), options.user)


def put(path: Path, text: str, user: int) -> None:
    """A file that this user alone can read; the folders stay root's."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_private(path, text)
    os.chown(path, user, user)


def make_all(everything: Credentials, names: Sequence[str]) -> None:
    """Each once. What is made from them needs those of all principals."""
    from signalink_core import principals

    for name in principals.redis_principals():
        everything.path(f"redis-{name}")
    for name in principals.kafka_principals():
        everything.path(f"kafka-{name}")
    for name in names:
        if name not in {KEYS, ACL, NODE}:
            everything.path(name)


def main(arguments: list[str] | None = None) -> int:
    """0 done, 1 failed with one line that says why."""
    options = _parser().parse_args(arguments)
    everything = Credentials(options.all)
    try:
        given = {Path(folder): names.split(",") for folder, _, names in (each.partition("=") for each in options.given)}
        make_all(everything, [name for names in given.values() for name in names])
        for folder, names in given.items():
            for name in names:
                give(everything, folder, name, options)
        for folder in options.own:
            os.chown(folder, options.user, options.user)
    except (OSError, SignalinkError) as error:
        sys.stderr.write(f"secrets: {error}\n")
        return 1
    sys.stdout.write(f"secrets of {len(given)} containers are there\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m signalink_stacks.containers.secrets")
    parser.add_argument("--all", type=Path, required=True, help="folder that keeps every secret")
    parser.add_argument("--for", dest="given", action="append", default=[], metavar="FOLDER=NAME,...")
    parser.add_argument("--own", type=Path, action="append", default=[], help="folder to give to the containers' user")
    parser.add_argument("--user", type=int, default=USER, help="uid and gid of the containers")
    parser.add_argument("--kafka", default="kafka", help="the name by which clients reach Kafka")
    parser.add_argument("--cluster-id", default="", help="Kafka's; only with kafka-node")
    return parser


if __name__ == "__main__":
    sys.exit(main())
