"""The proofs on a cluster: what they expect follows from the manifests, chance obeys its seed, absence is told."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE))

import cluster  # noqa: E402
import clusterload  # noqa: E402
import clusterplace  # noqa: E402
import stage  # noqa: E402
from corpus import Entry  # noqa: E402


def _load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.replace("/", "_"), HERE / f"{path}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


matrix, pods, alone = _load("kind/matrix"), _load("pods/main"), _load("alone/main")
PODS = [
    cluster.Pod(f"{service}-{number}", f"{service}{number}", f"node-{number}", service, 0, True, "10.0.0.1")
    for service in ("api", "gateway", "relay", "postgres", "kafka")
    for number in (0, 1)
]


@pytest.mark.parametrize(
    ("source", "reached", "closed"),
    [
        ("api", {"postgres:5432", "valkey:6379", "api:http"}, {"kafka:9092", "gateway:http", "relay:metrics"}),
        ("relay", {"postgres:5432", "kafka:9092", "relay:metrics"}, {"api:http", "gateway:metrics"}),
        ("operator", {"kafka:9092", "api:http"}, {"postgres:5432", "valkey:6379", "gateway:http", "api:metrics"}),
        ("stranger", {"api:http", "notifications:http"}, {"postgres:5432", "kafka:9092", "api:metrics"}),
        ("neighbour", {"gateway:http"}, {"valkey:6379", "prober:metrics"}),
        ("prometheus", {"api:metrics", "api:http", "prober:metrics"}, {"postgres:5432", "valkey:6379", "kafka:9092"}),
    ],
)
def test_who_may_reach_whom_follows_from_the_manifests(source: str, reached: set[str], closed: set[str]) -> None:
    assert {target for target in reached | closed if matrix.allowed(source, target)} == reached


def test_a_strike_is_some_pods_of_one_node_and_the_same_for_a_seed() -> None:
    none: Counter[str] = Counter()
    strikes = [pods.chosen(Random(seed), PODS, True, none) for seed in range(60)]
    assert strikes == [pods.chosen(Random(seed), list(reversed(PODS)), True, none) for seed in range(60)]
    assert all(strike.pods and {pod.node for pod in strike.pods} == {strike.node} for strike in strikes)
    assert {strike.how for strike in strikes} == {"kill -9", "delete"}
    assert {pod for strike in strikes for pod in strike.pods} == set(PODS)
    assert {pods.chosen(Random(seed), PODS, False, none).how for seed in range(20)} == {"delete"}
    others = Counter(pod.service for pod in PODS if pod.service != "relay")
    assert all("relay" in pods.chosen(Random(seed), PODS, True, others).told for seed in range(20))


@pytest.mark.parametrize(
    ("answer", "honest"),
    [
        ("503 unavailable +wait", True),
        ("429 rate_limited +wait", True),
        ("503 unavailable", False),
        ("500 internal +wait", False),
        ("404 not_found", False),
    ],
)
def test_only_an_answer_that_says_when_to_come_back_is_honest(answer: str, honest: bool) -> None:
    assert bool(clusterload.HONEST.fullmatch(answer)) == honest


def test_readers_share_the_channels_out_and_the_first_follows_all(tmp_path: Path) -> None:
    entries = [Entry(f"channel-{number}", "author", "text") for number in range(10)]

    class Nowhere:
        folder, urls = tmp_path, {}

    seated = stage.Stage(Nowhere(), None, entries, run="run", readers=21, follow=4)  # type: ignore[arg-type]
    seated.recorder.close()
    followers = [seated._followers(number) for number in range(10)]
    counts = {name: sum(name in names for names in followers) for name in seated._readers}
    assert counts.pop("reader-00") == 10
    assert set(counts.values()) == {4}
    assert all(len(names) == 9 for names in followers), (
        "20 readers with 4 of 10 channels each: 8 a channel, and the first"
    )


def test_a_twin_of_a_pod_keeps_account_and_network_and_does_nothing() -> None:
    container = {
        "name": "relay",
        "image": "signalink/relay:1",
        "env": [{"name": "SIGNALINK_HOST", "value": "any"}],
        "ports": [{"containerPort": 9102}],
        "livenessProbe": {},
        "resources": {"limits": {"memory": "256Mi", "cpu": "1"}, "requests": {"memory": "256Mi"}},
        "volumeMounts": [{"name": "secrets"}],
    }
    spec = {
        "containers": [container],
        "initContainers": [{}],
        "volumes": [{"name": "secrets"}],
        "restartPolicy": "Always",
    }
    twin = clusterplace.idle(spec)
    (one,) = twin["containers"]
    assert "initContainers" not in twin
    assert twin["volumes"] == spec["volumes"]
    assert one["env"] == container["env"]
    assert not {"ports", "livenessProbe"} & one.keys()
    assert one["command"][0] == "python"
    assert one["resources"]["limits"] == {"memory": clusterplace.READER_MEMORY, "cpu": "1"}


def test_a_chart_alone_gets_what_the_umbrella_would_give_it_and_where_the_rest_is() -> None:
    values = {"global": {"imageMap": {"postgres": "mirror/postgres"}}, "gateway": {"replicaCount": 1}, "api": {"a": 1}}
    found = alone.merged(alone.own(values, "gateway"), alone.service_values("gateway"))
    assert found["replicaCount"] == 1
    assert "api" not in found
    assert found["global"]["imageMap"] == {"postgres": "mirror/postgres"}
    assert found["global"]["serviceUrls"] == {
        "api": "http://one-api.signalink-alone-api.svc.cluster.local:8000",
        "analytics": "http://one-analytics.signalink-alone-analytics.svc.cluster.local:8003",
    }
    assert found["global"]["bindings"]["kafka"]["brokers"] == ["one-kafka.signalink-alone.svc.cluster.local:9092"]
    assert set(alone.ORDER) == {manifest.name for manifest in matrix.manifests()}


HOOKS = """
kind: Job
metadata: {name: chat-api-test-answers}
---
kind: Job
metadata: {name: chat-relay-test-published}
---
kind: Service
metadata: {name: chat-relay-test}
"""
PRINTED = """NAME: chat
STATUS: deployed
TEST SUITE:     chat-relay-test
Last Started:   Sat Nov 28 07:30:01 2026
Phase:          Succeeded
TEST SUITE:     chat-api-test-answers
Last Started:   Sat Nov 28 07:30:01 2026
Phase:          Succeeded
TEST SUITE:     chat-relay-test-published
Last Started:   Sat Nov 28 07:30:01 2026
Phase:          {phase}
"""


@pytest.mark.parametrize(
    ("hooks", "phase", "says"),
    [(HOOKS, "Failed", "chat-relay-test-published"), (HOOKS, "Unknown", "kept: "), ("", "Succeeded", "no promise")],
)
def test_promises_are_counted_by_name_and_a_silent_one_is_missed(hooks: str, phase: str, says: str) -> None:
    def helm(*words: str) -> str:
        return hooks if words[0] == "get" else PRINTED.format(phase=phase)

    with pytest.raises(cluster.Missed, match=says):
        cluster.shown(helm, "chat")


def test_what_a_promise_needs_is_none() -> None:
    def helm(*words: str) -> str:
        return HOOKS if words[0] == "get" else PRINTED.format(phase="Succeeded")

    assert cluster.shown(helm, "chat") == {"chat-api-test-answers", "chat-relay-test-published"}


@pytest.mark.parametrize("name", ["kind", "upgrade", "pods", "alone", "restore", "target"])
def test_a_proof_without_its_tools_says_so_and_fails_only_where_it_is_required(name: str, tmp_path: Path) -> None:
    for tool in ("git",):
        if found := shutil.which(tool):
            (tmp_path / tool).symlink_to(found)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SIGNALINK_", "KUBECONFIG"))}
    words = [sys.executable, str(HERE / name / "main.py"), "--size", "small"]
    for required, code in (({}, 0), ({"SIGNALINK_REQUIRE": "helm,kind"}, 1)):
        done = subprocess.run(
            words,
            env=kept | {"PATH": str(tmp_path)} | required,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert done.stdout.startswith(f"{name}: not run: ")
        assert "not on PATH" in done.stdout
