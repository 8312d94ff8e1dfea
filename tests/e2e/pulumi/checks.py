"""What must hold of a stack on a real engine, in order: each check says what it saw, or raises Missed."""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import conversation
from engine import DEFINITIONS, NAMESPACE, ROOT, STACK, Engine, Missed

from signalink_stacks.clusters import definitions
from signalink_stacks.delivery import promises

SERVICES: Final = ("api", "relay", "gateway", "analytics", "notifications", "prober", "operator")
TOPICS: Final = 8
PROMISES: Final = 7
"""Of the services at the least."""
MESSAGES: Final = 20
CHANNEL: Final = {
    "apiVersion": "signalink.dev/v1",
    "kind": "Channel",
    "metadata": {"name": "proof", "namespace": NAMESPACE},
    "spec": {"displayName": "Proof"},
}


def up_converges_after_a_kill(engine: Engine) -> str:
    """The first `up` is killed in its midst; the second one takes what is there and ends well."""
    engine.killed("up", "--yes", "--skip-preview", "-s", STACK, after="NetworkPolicy")
    before = len(engine.objects())
    if beside := sorted(path.name for path in (engine.folder / "state").rglob("*.attrs")):
        raise Missed(f"the engine wrote {beside} in place: a kill can cut them, and nothing reads the state then")
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


def every_pod_is_ready(engine: Engine) -> str:
    """`up` waited for them: nothing is waited for here."""
    items = json.loads(engine.kubectl("get", "pods", "-n", NAMESPACE, "-o", "json"))["items"]
    stays = [each for each in items if each["metadata"]["ownerReferences"][0]["kind"] != "Job"]
    wrong = [each["metadata"]["name"] for each in stays if not ready(each)]
    if wrong or len(stays) < len(SERVICES):
        raise Missed(f"of {len(stays)} pods these are not ready: {', '.join(wrong)}")
    topics = json.loads(engine.kubectl("get", "topics.signalink.dev", "-n", NAMESPACE, "-o", "json"))["items"]
    made = [each["metadata"]["name"] for each in topics if ready(each)]
    if len(made) < TOPICS:
        raise Missed(f"of {TOPICS} Topics these are ready: {', '.join(made)}")
    return f"{len(stays)} pods and {len(made)} Topics"


def ready(thing: Mapping[str, Any]) -> bool:
    """Whether its condition Ready holds."""
    conditions = (thing.get("status") or {}).get("conditions") or []
    return any(said["type"] == "Ready" and said["status"] == "True" for said in conditions)


def its_operator_keeps_channels(engine: Engine) -> str:
    """With the token that the api's Job gave it."""
    engine.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(CHANNEL))
    engine.kubectl("wait", "channel/proof", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=90s")
    engine.kubectl("delete", "channel/proof", "-n", NAMESPACE, "--timeout=90s")
    return "a Channel was made, Ready and gone"


def its_charts_keep_their_promises(engine: Engine) -> str:
    said: list[str] = []
    if wrong := promises.of(engine.graph(), said.append)({}):
        raise Missed(wrong)
    if int(said[-1].split()[1]) < PROMISES:
        raise Missed(said[-1])
    return said[-1]


def two_people_talk(engine: Engine) -> str:
    seqs = asyncio.run(conversation.held(engine.access, NAMESPACE, MESSAGES))
    if seqs != list(range(1, len(seqs) + 1)) or len(seqs) <= MESSAGES:
        raise Missed(f"the second one read {seqs[:10]} ... of {MESSAGES} messages")
    return f"{len(seqs)} events, each once, in order, over one absence"


def a_file_without_secrets_takes_the_deployed_ones(engine: Engine) -> str:
    """As in the checkout of a pipeline. What comes next must find no difference."""
    engine.run("config", "rm", "signalink:secrets", "-s", STACK)
    said = engine.complete().strip()
    if engine.secrets() != engine.words:
        raise Missed(f"the secrets are not those that run: {said}")
    return said


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
    issued = (
        json.loads(engine.kubectl("get", "secret", "signalink-operator-api-token", "-n", NAMESPACE, "-o", "json")).get(
            "data"
        )
        or {}
    )
    if engine.nodes and not issued:
        raise Missed("the api's Job gave the operator no token")
    tokens = {key: base64.b64decode(value).decode() for key, value in issued.items()}
    for name, value in (engine.words | tokens).items():
        first = value.splitlines()[1] if value.startswith("-----") else value
        forms = (first, base64.b64encode(value.encode()).decode())
        if any(form in text for text in looked for form in forms):
            raise Missed(f"the value of {name} is readable")
    real = engine.kubectl("get", "secret", "signalink-postgres-auth", "-n", NAMESPACE, "-o", "json")
    if "postgres-api" not in json.loads(real)["data"]:
        raise Missed("the Secret in the cluster has no word of the api: nothing was looked for")
    return f"{len(engine.words) + len(tokens)} values looked for in {len(looked)} texts"


def destroy_leaves_nothing(engine: Engine) -> str:
    """Of the stack. A Topic of somebody else is still there, and so is its kind."""
    engine.neighbour()
    engine.run("destroy", "--yes", "--skip-preview", "-s", STACK)
    left = engine.left()
    left += engine.claims()
    if left:
        raise Missed(f"{len(left)} objects are left: {', '.join(left[:5])}")
    if not engine.spared():
        raise Missed("the destroy took a Topic of another namespace with it")
    return "0 labelled objects, 0 claims; the Topic of another namespace is there"


def the_last_one_takes_the_kinds_away(engine: Engine) -> str:
    """As `signalink down` does after the destroy: not while a neighbour has a Topic, then it does."""
    said: list[str] = []
    if definitions.remove(engine.access, NAMESPACE, ROOT, said.append) or not engine.spared():
        raise Missed("the kinds were taken away while another namespace has a Topic")
    engine.leave()
    if users := definitions.others(engine.access, NAMESPACE):
        return f"left to {', '.join(users)}: what comes after them was not looked at"
    definitions.remove(engine.access, NAMESPACE, ROOT, said.append)
    if left := [each for each in engine.kinds() if each in DEFINITIONS]:
        raise Missed(f"{', '.join(left)} are left: {said[-1]}")
    return f"{said[0].partition(': ')[2]}; then none"


Check = Callable[[Engine], str]
ALIVE: Final[tuple[Check, ...]] = (
    every_pod_is_ready,
    its_operator_keeps_channels,
    its_charts_keep_their_promises,
    two_people_talk,
)
"""What only pods can show."""


def of(engine: Engine) -> tuple[Check, ...]:
    """In their order; on a cluster without nodes those that need none."""
    return (
        up_converges_after_a_kill,
        everything_is_there,
        *(ALIVE if engine.nodes else ()),
        a_file_without_secrets_takes_the_deployed_ones,
        a_second_preview_finds_no_difference,
        a_drift_is_found_and_repaired,
        no_secret_is_in_clear,
        destroy_leaves_nothing,
        the_last_one_takes_the_kinds_away,
    )
