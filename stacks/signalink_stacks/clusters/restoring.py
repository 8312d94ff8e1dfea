"""Owns the order of a backup and of a restore on a cluster.

A backup is read into a database beside the present one, which serves meanwhile; then all that writes is stopped, the
log is settled there, and the two change places in one transaction. So a run that fails or is killed before has replaced
nothing, and the same again is right at any moment. Where Postgres is outside the cluster its own tools restore it,
between `before` and `after`.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_stacks.backups import files
from signalink_stacks.backups.settling import Restored
from signalink_stacks.clusters import errands, writers
from signalink_stacks.clusters.errands import Migration, Parts
from signalink_stacks.clusters.server import Server
from signalink_stacks.clusters.writers import DSN, EPOCHS, Namespace, Writer
from signalink_stacks.local import discovery

Say = Callable[[str], None]
ALONE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 1.0
SNAPSHOT: Final = (
    "back it up by its own tools: on RDS `aws rds create-db-snapshot --db-instance-identifier NAME "
    "--db-snapshot-identifier NAME`, elsewhere pg_dump."
)
BY_ITSELF: Final = (
    "`signalink restore --before` with the same options stops all that writes; then restore it by its own tools, under "
    "the same name (RDS makes a new instance of a snapshot or a point in time: rename both, then `make adopt`, "
    "`pulumi refresh` and `pulumi up`); then `signalink restore --after`. docs/deployment.md has the commands."
)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: the settled log, and how many pods of each writer run again."""

    restored: Restored
    started: dict[str, int]


def write(namespace: Namespace, file: Path) -> int:
    """Dump the whole database into `file`, the platform running or not; its size."""
    return server(namespace, SNAPSHOT).dump(file)


def restore(namespace: Namespace, file: Path, say: Say) -> Done:
    """Replace the database of our chart's Postgres by the backup, settle its log, and start all again."""
    files.require(file)
    postgres, parts = server(namespace, BY_ITSELF), errands.parts(namespace)
    with _running_on(namespace, postgres, say):
        say(f"database: reading {file.name} into {postgres.side}, beside the present one")
        postgres.make_space(file.stat().st_size)
        postgres.load(file)
        stopped = _stop(namespace, say)
        _alone(postgres)
        dsn = errands.owner_dsn(parts, postgres.side)
        request = {"floors": noted(stopped), "replaced": errands.owner_dsn(parts, postgres.database)}
        restored = _settle(namespace, parts, request, dsn, say)
        postgres.change()
    say(f"database: {postgres.side} is {postgres.database} now")
    started = _start(namespace, parts, say)
    postgres.tidy()
    return Done(restored, started)


def before(namespace: Namespace, say: Say) -> list[str]:
    """Stop all that writes and note the epochs of its log; what was stopped. Another tool restores Postgres next."""
    parts = errands.parts(namespace)
    stopped = _stop(namespace, say)
    say("log: noting its epochs")
    told, earlier = errands.answer(namespace, errands.epochs(parts)), noted(stopped)
    highest = {schema: max(epoch, earlier.get(schema, 0)) for schema, epoch in told.items()}
    for writer in stopped:
        namespace.kubectl("annotate", writer.called, f"{EPOCHS}={json.dumps(highest)}", "--overwrite")
    return [writer.called for writer in stopped]


def after(namespace: Namespace, say: Say) -> Done:
    """Settle the log of a Postgres that another tool restored, and start all again. What fails leaves them stopped."""
    parts = errands.parts(namespace)
    stopped = _stop(namespace, say)
    request = {"floors": noted(stopped), "replaced": ""}
    restored = _settle(namespace, parts, request, errands.owner_dsn(parts), say)
    return Done(restored, _start(namespace, parts, say))


def server(namespace: Namespace, otherwise: str) -> Server:
    """The Postgres of our chart that the platform uses; ConfigurationError with `otherwise` where it is another."""
    dsns = [writers.environment(each.template["spec"], DSN) for each in writers.found(namespace)]
    if not dsns:
        raise ConfigurationError(
            f"There is no platform in the namespace {namespace.name}.",
            next_step="name its namespace with --namespace, or `signalink up --target existing`.",
        )
    host, database = writers.host(dsns[0]), writers.database(dsns[0])
    name, _, rest = host.partition(".")
    sets = {item["metadata"]["name"]: item for item in namespace.items("statefulsets")}
    if name not in sets or (rest and rest.split(".")[0] != namespace.name):
        raise ConfigurationError(f"Postgres is {host}, outside the namespace {namespace.name}.", next_step=otherwise)
    container = writers.template(sets[name])["spec"]["containers"][0]["name"]
    words = ("exec", "--stdin", f"--namespace={namespace.name}", f"{name}-0", f"--container={container}", "--")
    return Server(namespace.access.kubectl(*words), database)


def migrations(parts: Parts) -> list[Migration]:
    """Of every service that has a schema and runs in the namespace."""
    return [
        Migration(one.name, one.database.schema_, one.database.migrations)
        for one in discovery.manifests()
        if one.database is not None and one.name in parts.services
    ]


def noted(stopped: list[Writer]) -> dict[str, int]:
    """Epochs that `before` wrote down; what is no note of ours counts as none."""
    for writer in stopped:
        with contextlib.suppress(ValueError):
            return dict(json.loads((writer.document["metadata"].get("annotations") or {}).get(EPOCHS, "")))
    return {}


@contextlib.contextmanager
def _running_on(namespace: Namespace, postgres: Server, say: Say) -> Iterator[None]:
    """Whatever fails inside: the platform runs on, on a whole database."""
    try:
        yield
    except BaseException:
        say("failed: starting again what was stopped, on the data that is there")
        with contextlib.suppress(SignalinkError):
            writers.start(namespace)
        with contextlib.suppress(SignalinkError):
            postgres.tidy()
        raise


def _stop(namespace: Namespace, say: Say) -> list[Writer]:
    found = writers.found(namespace)
    say(f"writers: stopping {', '.join(each.called for each in found)}")
    writers.stop(namespace, found)
    return found


def _start(namespace: Namespace, parts: Parts, say: Say) -> dict[str, int]:
    """Also when a token cannot be issued: the data is whole."""
    try:
        errands.renew_tokens(namespace, parts)
    finally:
        say("writers: starting again")
        started = writers.start(namespace)
    writers.await_ready(namespace, started)
    return {writer.called: writer.before for writer in started if writer.kind != "CronJob"}


def _settle(namespace: Namespace, parts: Parts, request: Mapping[str, Any], dsn: str, say: Say) -> Restored:
    say("log: asking for the ends of all topics")
    ends = errands.topic_ends(namespace, parts)
    say("log: migrations, new epoch, offsets to the end, cursors to the start")
    pod = errands.settle(parts, migrations(parts), {**request, "ends": ends}, dsn)
    return Restored(**errands.answer(namespace, pod))


def _alone(postgres: Server) -> None:
    """ConfigurationError names who else stays connected over the network: a writer that this namespace knows not."""
    ends = time.monotonic() + ALONE_SECONDS
    while others := postgres.others():
        if time.monotonic() > ends:
            raise ConfigurationError(
                f"Somebody else is connected to the database: {', '.join(others)}.",
                next_step="stop them, services of other namespaces too; then the same command again.",
            )
        time.sleep(POLL_SECONDS)
