"""Owns stopping and starting all that speaks to the platform's Postgres, in one namespace of a cluster.

What was found is told by the pod templates: whatever has `SIGNALINK_POSTGRES_DSN`, services of users too. How many pods
there were is noted on the object in the patch that stops it, so a run that was killed is taken up by the next one. A
HorizontalPodAutoscaler leaves alone what stands at 0.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from signalink_core.errors import DependencyUnavailable
from signalink_stacks.clusters import run
from signalink_stacks.clusters.plan import Access

DSN: Final = "SIGNALINK_POSTGRES_DSN"
KAFKA: Final = "SIGNALINK_KAFKA_BOOTSTRAP"
NOTE: Final = "signalink.dev/before-restore"
"""Annotation: replicas as a number, of a CronJob whether it was suspended."""
EPOCHS: Final = "signalink.dev/epochs-before-restore"
"""Annotation: schema -> epoch of a log that another tool is about to replace."""
ERRAND: Final = "signalink.dev/errand"
"""Label of the pods of a restore itself."""
GONE_SECONDS: Final = 300.0
READY_SECONDS: Final = 600.0
POLL_SECONDS: Final = 1.0
Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Namespace:
    """One namespace of a cluster, asked by kubectl."""

    access: Access
    name: str

    def kubectl(self, *words: str, given: str = "", seconds: float = run.LIST_SECONDS) -> str:
        """What it prints; DependencyUnavailable when it fails or is late."""
        return run.ask(self.access.kubectl(*words, f"--namespace={self.name}"), given, seconds)

    def items(self, kinds: str) -> list[dict[str, Any]]:
        """All objects of these kinds."""
        return list(json.loads(self.kubectl("get", kinds, "--output=json"))["items"])


@dataclass(frozen=True, slots=True)
class Writer:
    """A Deployment, StatefulSet or CronJob. `noted`: what a run before this one wrote down; empty: nothing."""

    kind: str
    name: str
    replicas: int
    suspended: bool
    noted: str
    document: Table

    @property
    def called(self) -> str:
        return f"{self.kind.lower()}/{self.name}"

    @property
    def template(self) -> Table:
        return template(self.document)

    @property
    def note(self) -> str:
        """What has to be remembered. One that runs tells it itself, whatever an older run wrote."""
        if self.kind == "CronJob":
            return "running" if not self.suspended else self.noted or "suspended"
        return str(self.replicas) if self.replicas else self.noted or "0"

    def stopped(self) -> Table:
        """The patch that stops it and notes how it was."""
        spec: Table = {"suspend": True} if self.kind == "CronJob" else {"replicas": 0}
        return {"metadata": {"annotations": {NOTE: self.note}}, "spec": spec}

    def started(self) -> Table:
        """The patch that takes it back; only for one that has a note."""
        again: Table = {"suspend": self.noted == "suspended"} if self.kind == "CronJob" else {"replicas": self.before}
        return {"metadata": {"annotations": {NOTE: None, EPOCHS: None}}, "spec": again}

    @property
    def before(self) -> int:
        """How many pods it had, as far as the note can be read."""
        return int(self.noted) if self.noted.isdecimal() else 1


def found(namespace: Namespace) -> list[Writer]:
    """All that speak to Postgres, stopped ones too."""
    items = namespace.items("deployments,statefulsets,cronjobs")
    return [_writer(item) for item in items if environment(template(item)["spec"], DSN)]


def stop(namespace: Namespace, writers: Sequence[Writer]) -> None:
    """Nothing of theirs runs when this returns. DependencyUnavailable names the pods that do not go."""
    for writer in writers:
        _patch(namespace, writer, writer.stopped())
    ends = time.monotonic() + GONE_SECONDS
    while left := _pods(namespace):
        if time.monotonic() > ends:
            raise DependencyUnavailable(
                f"After {GONE_SECONDS:.0f} s these pods, which may write, are still there: {', '.join(left)}.",
                next_step="`kubectl describe pod` says why; then the same command again.",
            )
        time.sleep(POLL_SECONDS)


def start(namespace: Namespace) -> list[Writer]:
    """As many pods as there were, wherever a note says so. Answers what was started; waits for nothing."""
    noted = [writer for writer in found(namespace) if writer.noted]
    for writer in noted:
        _patch(namespace, writer, writer.started())
    return noted


def await_ready(namespace: Namespace, started: Sequence[Writer]) -> None:
    """DependencyUnavailable when one is not ready in time."""
    ends = time.monotonic() + READY_SECONDS
    for writer in started:
        if writer.kind == "CronJob" or not writer.before:
            continue
        left = max(ends - time.monotonic(), 1.0)
        words = ("rollout", "status", writer.called, f"--timeout={left:.0f}s")
        try:
            namespace.kubectl(*words, seconds=left + run.LIST_SECONDS)
        except DependencyUnavailable as error:
            raise DependencyUnavailable(
                f"The backup is there, but {writer.called} is not ready: {error.detail}",
                next_step=f"`kubectl describe {writer.called} --namespace {namespace.name}`",
            ) from error


def template(item: Table) -> Table:
    """Its pod template."""
    spec: Table = item["spec"]
    found: Table = spec["jobTemplate"]["spec"]["template"] if "jobTemplate" in spec else spec["template"]
    return found


def environment(spec: Table, name: str) -> str:
    """The value of a variable in any container of a pod; empty when none has it."""
    each: Iterator[str] = (
        str(variable.get("value", ""))
        for container in (*spec.get("containers", ()), *spec.get("initContainers", ()))
        for variable in container.get("env", ())
        if variable["name"] == name
    )
    return next(each, "")


def host(dsn: str) -> str:
    """Of the server that a DSN names."""
    return urlsplit(dsn).hostname or ""


def database(dsn: str) -> str:
    """The one that a DSN names."""
    return urlsplit(dsn).path.strip("/")


def _writer(item: Table) -> Writer:
    spec, metadata = item["spec"], item["metadata"]
    noted = str((metadata.get("annotations") or {}).get(NOTE, ""))
    replicas, suspended = int(spec.get("replicas", 1)), bool(spec.get("suspend"))
    return Writer(item["kind"], metadata["name"], replicas, suspended, noted, item)


def _patch(namespace: Namespace, writer: Writer, patch: Table) -> None:
    namespace.kubectl("patch", writer.called, "--type=merge", f"--patch={json.dumps(patch)}")


def _pods(namespace: Namespace) -> list[str]:
    """Of those that may still write; none of this restore's own."""
    return [
        item["metadata"]["name"]
        for item in namespace.items("pods")
        if environment(item["spec"], DSN)
        and item.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        and ERRAND not in (item["metadata"].get("labels") or {})
    ]
