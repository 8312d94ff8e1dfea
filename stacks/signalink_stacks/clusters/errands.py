"""Owns the pods of a restore: what each is made of, running one, and its answer.

They have account, network and secrets of templates that are there, so they may what those may; the command alone is
another. `ends` is a twin of the relay, who may describe every topic. `settle` and `epochs` are twins of a Job that
signs in as the owner of the schemas; `settle` first runs each service's migrations in its own image.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.backups import settling
from signalink_stacks.clusters.writers import DSN, ERRAND, KAFKA, Namespace, environment, template

Table = Mapping[str, Any]
COMPONENT: Final = "app.kubernetes.io/component"
NAME: Final = "app.kubernetes.io/name"
RELAY: Final = "relay"
OWNERS: Final = ("-tokens", "-migrate")
"""Ends of the component of a Job that signs in as the owner of the schemas."""
OF_A_JOB: Final = ("controller-uid", "job-name")
"""Labels by which its controller would take a pod for its own."""
LEFT_OUT: Final = ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "ports")
POD_LEFT_OUT: Final = ("initContainers", "topologySpreadConstraints", "affinity")
SECONDS: Final = 3600
ENDS_SECONDS: Final = 300
POLL_SECONDS: Final = 1.0
LOG_CHARACTERS: Final = 2000
STUCK: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"})
PATIENCE: Final = 120.0
"""How long a pod may be stuck in one of these."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One schema and the package of its migrations, brought up by the image of `service`."""

    service: str
    schema: str
    package: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pods are made of: the relay, whatever signs in as owner, and services by name. All pod templates."""

    relay: Table
    owner: Table
    services: Mapping[str, Table] = field(default_factory=dict)
    tokens: Sequence[str] = ()
    """CronJobs that see to tokens which the database must know."""


def parts(namespace: Namespace) -> Parts:
    """ConfigurationError when the namespace lacks one of them."""
    deployments = namespace.items("deployments")
    named = {_label(template(item), NAME): template(item) for item in deployments}
    both = [each for each in named.values() if environment(each["spec"], DSN) and environment(each["spec"], KAFKA)]
    jobs = namespace.items("cronjobs,jobs")
    owners = [template(item) for item in jobs if _is_owner(template(item))]
    relay = named.get(RELAY) or next(iter(both), None)
    if relay is None or not owners:
        missing = "relay" if relay is None else "Job or CronJob that signs in as the owner of the schemas"
        raise ConfigurationError(
            f"There is no {missing} in the namespace {namespace.name}, which the steps after a restore run as.",
            next_step="install the platform there first: `signalink up --target existing`; with Helm "
            "`--set global.serviceTokens=true` makes such a CronJob.",
        )
    tokens = [
        item["metadata"]["name"]
        for item in jobs
        if item["kind"] == "CronJob" and _label(template(item), COMPONENT).endswith("-tokens")
    ]
    return Parts(relay, owners[0], named, tokens)


def ends(parts: Parts) -> Table:
    """The pod that tells the ends of all topics."""
    spec = parts.relay["spec"]
    container = _container(spec["containers"][0], ["ends"])
    return _pod("ends", parts.relay, spec, [], [container])


def epochs(parts: Parts) -> Table:
    """The pod that tells the epochs of the log and every other outbox."""
    owner = _owner(parts, owner_dsn(parts))
    return _pod("epochs", parts.owner, _pulling(parts, ()), [], [_container(_imaged(owner, parts.relay), ["epochs"])])


def settle(parts: Parts, migrations: Sequence[Migration], request: Table, dsn: str) -> Table:
    """The pod that brings the schemas of the database at `dsn` up, then settles its log."""
    owner = _owner(parts, dsn)
    upgrades = [
        _imaged(owner, parts.services[one.service], f"migrate-{one.service}")
        | {"command": ["python", "-m", "signalink_core.database"]}
        | {"args": ["migrate", f"--schema={one.schema}", f"--migrations={one.package}"]}
        for one in migrations
    ]
    last = _container(_imaged(owner, parts.relay), ["settle", json.dumps(request)])
    return _pod("settle", parts.owner, _pulling(parts, migrations), upgrades, [last])


def owner_dsn(parts: Parts, database: str = "") -> str:
    """Where the owner signs in, to another database if one is named."""
    dsn = environment({"containers": _containers(parts.owner["spec"])}, DSN)
    return urlsplit(dsn)._replace(path=f"/{database}").geturl() if database else dsn


def answer(namespace: Namespace, pod: Table, seconds: float = SECONDS) -> Any:
    """Run it to its end; what it answers. DependencyUnavailable with its last lines when it fails; it never stays."""
    name = pod["metadata"]["name"]
    remove(namespace, name)
    try:
        namespace.kubectl("create", "--filename=-", given=json.dumps(pod))
        phase, why = _ended(namespace, name, seconds)
        lines = namespace.kubectl("logs", name, "--all-containers", "--tail=40") if not why else ""
        answers = [line for line in lines.splitlines() if line.startswith(settling.MARK)]
        if phase == "Succeeded" and answers:
            return json.loads(answers[-1].removeprefix(settling.MARK))
        raise DependencyUnavailable(
            f"The pod {name} failed: {why or lines.strip()[-LOG_CHARACTERS:] or phase}",
            next_step="mend that and run the same command again.",
        )
    finally:
        remove(namespace, name)


def topic_ends(namespace: Namespace, parts: Parts) -> list[Any]:
    """[topic, partition, end] of all. ConfigurationError where there is none: offsets would go to the start instead."""
    found: list[Any] = answer(namespace, ends(parts), ENDS_SECONDS)
    if not found:
        raise ConfigurationError(
            "Kafka tells the relay of no topic, so nobody knows where consumers have to go on.",
            next_step="see that Kafka has the topics (`kubectl get topics`); images older than this command cannot "
            "ask for their ends: upgrade first.",
        )
    return found


def remove(namespace: Namespace, name: str) -> None:
    """Also what a run that was killed left."""
    words = ("delete", "pod", name, "--ignore-not-found", "--grace-period=1", "--timeout=60s")
    namespace.kubectl(*words, seconds=90.0)


def renew_tokens(namespace: Namespace, parts: Parts) -> None:
    """Tokens that the restored database does not know are issued anew, by the Job that does it each day."""
    for cronjob in parts.tokens:
        job = f"{cronjob}-restore"
        namespace.kubectl("delete", "job", job, "--ignore-not-found", "--timeout=60s", seconds=90.0)
        namespace.kubectl("create", "job", job, f"--from=cronjob/{cronjob}")
        try:
            _await_job(namespace, job)
        finally:
            namespace.kubectl("delete", "job", job, "--ignore-not-found", "--wait=false")


def _await_job(namespace: Namespace, name: str) -> None:
    until = time.monotonic() + SECONDS
    while True:
        status = json.loads(namespace.kubectl("get", "job", name, "--output=json")).get("status", {})
        conditions = {each["type"] for each in status.get("conditions", ()) if each["status"] == "True"}
        if "Complete" in conditions:
            return
        if "Failed" in conditions or time.monotonic() > until:
            said = namespace.kubectl("logs", f"job/{name}", "--all-containers", "--tail=20")
            raise DependencyUnavailable(f"The Job {name} failed: {said.strip()[-LOG_CHARACTERS:]}")
        time.sleep(POLL_SECONDS)


def _ended(namespace: Namespace, name: str, seconds: float) -> tuple[str, str]:
    """Its phase, and why it did not even start."""
    began = time.monotonic()
    while True:
        status = json.loads(namespace.kubectl("get", "pod", name, "--output=json")).get("status", {})
        phase, took = str(status.get("phase", "Pending")), time.monotonic() - began
        if phase in ("Succeeded", "Failed"):
            return phase, ""
        if (stuck := _stuck(status)) and took > PATIENCE:
            return phase, stuck
        if took > seconds:
            return phase, f"it is {phase} after {seconds:.0f} s"
        time.sleep(POLL_SECONDS)


def _stuck(status: Table) -> str:
    statuses = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    waiting = [each["state"]["waiting"] for each in statuses if each.get("state", {}).get("waiting")]
    return next((f"{w['reason']}: {w.get('message', '')}" for w in waiting if w.get("reason") in STUCK), "")


def _pod(errand: str, source: Table, spec: Table, first: Sequence[Table], containers: Sequence[Table]) -> Table:
    """With the labels that policies look for, of no Service and no controller."""
    given = source["metadata"]["labels"].items()
    labels = {key: value for key, value in given if not key.endswith(OF_A_JOB)}
    labels |= {COMPONENT: f"restore-{errand}", ERRAND: "restore"}
    kept = {key: value for key, value in spec.items() if key not in POD_LEFT_OUT}
    changed: Table = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "activeDeadlineSeconds": SECONDS}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"signalink-restore-{errand}", "labels": labels},
        "spec": kept | dict(changed) | {"initContainers": list(first), "containers": list(containers)},
    }


def _container(container: Table, words: Sequence[str]) -> Table:
    kept = {key: value for key, value in container.items() if key not in LEFT_OUT}
    text = Path(settling.__file__).read_text(encoding="utf-8")
    return kept | {"command": ["python", "-c", text, *words], "args": []}


def _imaged(container: Table, service: Table, name: str = "errand") -> dict[str, Any]:
    """The container under another name, in the image of a service."""
    image = service["spec"]["containers"][0]
    pulled = {key: image[key] for key in ("image", "imagePullPolicy") if key in image}
    return {key: value for key, value in container.items() if key not in LEFT_OUT} | pulled | {"name": name}


def _owner(parts: Parts, dsn: str) -> Table:
    """A container that signs in as the owner, to the database at `dsn`."""
    found = next(each for each in _containers(parts.owner["spec"]) if environment({"containers": [each]}, DSN))
    return {**found, "env": [*(each for each in found["env"] if each["name"] != DSN), {"name": DSN, "value": dsn}]}


def _pulling(parts: Parts, migrations: Sequence[Migration]) -> Table:
    """The owner's pod, with the pull Secrets of all whose images are used."""
    spec = parts.owner["spec"]
    others = [parts.relay, *(parts.services[one.service] for one in migrations)]
    every = [*spec.get("imagePullSecrets", ()), *(s for o in others for s in o["spec"].get("imagePullSecrets", ()))]
    return {**spec, "imagePullSecrets": list({each["name"]: each for each in every}.values())} if every else spec


def _is_owner(found: Table) -> bool:
    return _label(found, COMPONENT).endswith(OWNERS) and bool(environment(found["spec"], DSN))


def _containers(spec: Table) -> list[Table]:
    return [*spec.get("initContainers", ()), *spec["containers"]]


def _label(item: Table, name: str) -> str:
    return str((item["metadata"].get("labels") or {}).get(name, ""))
