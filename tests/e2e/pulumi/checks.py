"""What must hold of a stack on a real engine, in order: each check says what it saw, or raises Missed."""

import json
from collections.abc import Callable
from typing import Final

from engine import NAMESPACE, STACK, Engine, Missed

SERVICES: Final = ("api", "relay", "gateway", "analytics", "notifications", "prober", "operator")
TOPICS: Final = 8


def up_converges_after_a_kill(engine: Engine) -> str:
    """The first `up` is killed in its midst; the second one takes what is there and ends well."""
    engine.killed("up", "--yes", "--skip-preview", "-s", STACK, after="NetworkPolicy")
    before = len(engine.objects())
    engine.attempt("cancel", "--yes", "-s", STACK)
    engine.run("refresh", "--yes", "--skip-preview", "--clear-pending-creates", "-s", STACK)
    engine.run("up", "--yes", "--skip-preview", "-s", STACK)
    return f"{before} objects when it was killed, {len(engine.objects())} after the next up"


def everything_is_there(engine: Engine) -> str:
    found = engine.objects()
    for service in SERVICES:
        if f"deployment.apps/signalink-{service}" not in found:
            raise Missed(f"there is no Deployment of {service}")
    for engine_chart in ("postgres", "valkey", "kafka"):
        if f"statefulset.apps/signalink-{engine_chart}" not in found:
            raise Missed(f"there is no StatefulSet of {engine_chart}")
    topics = [each for each in found if each.startswith("topic.signalink.dev/")]
    if len(topics) != TOPICS:
        raise Missed(f"{len(topics)} Topics, {TOPICS} were to be made")
    return f"{len(found)} labelled objects, {len(topics)} of them Topics"


def a_second_preview_finds_no_difference(engine: Engine) -> str:
    engine.run("preview", "--expect-no-changes", "-s", STACK)
    engine.run("up", "--yes", "--skip-preview", "--expect-no-changes", "-s", STACK)
    return "preview and up with --expect-no-changes end with 0"


def a_drift_is_found_and_repaired(engine: Engine) -> str:
    """Somebody scales a Deployment and relabels a Secret by hand."""
    patch = json.dumps({"spec": {"replicas": 7}})
    owner = "--field-manager=somebody"
    engine.kubectl("patch", "deployment", "signalink-relay", "-n", NAMESPACE, owner, "--type=merge", "-p", patch)
    engine.kubectl("delete", "configmap,networkpolicy", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=relay")
    _, status = engine.attempt("refresh", "--yes", "--expect-no-changes", "--skip-preview", "-s", STACK)
    if status == 0:
        raise Missed("a refresh finds no drift")
    engine.run("up", "--yes", "--skip-preview", "--refresh", "-s", STACK)
    replicas = engine.kubectl(
        "get", "deployment", "signalink-relay", "-n", NAMESPACE, "-o", "jsonpath={.spec.replicas}"
    )
    if (replicas != "1" and engine.profile == "small") or replicas == "7":
        raise Missed(f"the Deployment still has {replicas} replicas")
    policy = engine.kubectl("get", "networkpolicy", "signalink-relay", "-n", NAMESPACE, "-o", "name")
    # What the cluster counts (generation, resourceVersion) is taken into the state once; then there is nothing.
    engine.run("refresh", "--yes", "--skip-preview", "-s", STACK)
    engine.run("refresh", "--yes", "--expect-no-changes", "--skip-preview", "-s", STACK)
    engine.run("preview", "--expect-no-changes", "-s", STACK)
    return f"refresh sees it, up repairs it ({replicas} replicas, {policy.strip()})"


def no_secret_is_in_clear(engine: Engine) -> str:
    """Neither in the exported state, nor in the file of the backend, nor in anything that was printed."""
    state = engine.run("stack", "export", "-s", STACK)
    preview = engine.run("preview", "--diff", "-s", STACK)
    files = [path.read_text(encoding="utf-8", errors="replace") for path in engine.folder.glob("state/**/*.json*")]
    config = (engine.folder / f"config/Pulumi.{STACK}.yaml").read_text(encoding="utf-8")
    looked = [state, preview, config, *files, *engine.said]
    for name, value in engine.words.items():
        first = value.splitlines()[1] if value.startswith("-----") else value
        if any(first in text for text in looked):
            raise Missed(f"the value of {name} is readable")
    real = engine.kubectl("get", "secret", "signalink-postgres-auth", "-n", NAMESPACE, "-o", "json")
    if "postgres-api" not in json.loads(real)["data"]:
        raise Missed("the Secret in the cluster has no word of the api: nothing was looked for")
    return f"{len(engine.words)} values looked for in {len(looked)} texts"


def destroy_leaves_nothing(engine: Engine) -> str:
    engine.run("destroy", "--yes", "--skip-preview", "-s", STACK)
    left = engine.left()
    if left:
        raise Missed(f"{len(left)} objects are left: {', '.join(left[:5])}")
    return "0 labelled objects"


ALL: Final[tuple[Callable[[Engine], str], ...]] = (
    up_converges_after_a_kill,
    everything_is_there,
    a_second_preview_finds_no_difference,
    a_drift_is_found_and_repaired,
    no_secret_is_in_clear,
    destroy_leaves_nothing,
)
