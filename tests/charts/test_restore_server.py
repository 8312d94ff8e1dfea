"""A restore on a cluster, as far as an API server without nodes can tell: what is stopped and started, and that the
server takes its pods under the strictest Pod Security.

Runs where KUBECONFIG names a cluster and kubectl is on PATH.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from charting import NAMESPACE, Rendered, render
from test_server import Cluster, cluster, kubectl, made

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.clusters import errands, restoring, writers
from signalink_stacks.clusters.plan import Access
from signalink_stacks.clusters.writers import EPOCHS, NOTE, Namespace
from signalink_stacks.local import discovery

__all__ = ["cluster"]
KINDS = ("ServiceAccount", "Secret", "Deployment", "StatefulSet", "Job", "CronJob")


def rendered() -> Rendered:
    return render("signalink", {"global": {"serviceTokens": True, "imagePullSecrets": ["registry"]}})


@pytest.fixture
def place(cluster: Cluster) -> Namespace:
    """The platform's own objects; without controllers nobody makes pods of them."""
    text = yaml.safe_dump_all(rendered().of(*KINDS))
    text = text.replace(f"namespace: {NAMESPACE}\n", f"namespace: {cluster}\n").replace(
        f".{NAMESPACE}.svc", f".{cluster}.svc"
    )
    made("delete", "deployments,statefulsets,cronjobs,jobs,pods", "--all", f"--namespace={cluster}")
    made("apply", "--server-side", "--force-conflicts", "-f", "-", text=text)
    return Namespace(Access("", kubectl("config", "current-context").stdout.strip()), cluster)


def states(place: Namespace) -> dict[str, Any]:
    """Name -> replicas, or whether it is suspended."""
    items = place.items("deployments,statefulsets,cronjobs")
    return {each["metadata"]["name"]: each["spec"].get("replicas", each["spec"].get("suspend")) for each in items}


def notes(place: Namespace) -> dict[str, str]:
    return {each.name: each.noted for each in writers.found(place) if each.noted}


def test_what_speaks_to_postgres_is_what_the_manifests_say(place: Namespace) -> None:
    wanted = {f"chat-{one.name}" for one in discovery.manifests() if "postgres" in one.needs}
    assert {each.name for each in writers.found(place)} == {*wanted, "chat-api-tokens"}


def test_all_is_stopped_and_comes_back_as_it_was_after_a_kill_in_the_middle(place: Namespace) -> None:
    place.kubectl("scale", "deployment/chat-analytics", "--replicas=3")
    place.kubectl("scale", "deployment/chat-prober", "--replicas=0")
    before = states(place)
    writers.stop(place, writers.found(place)[:3])  # a run that was killed there
    writers.stop(place, writers.found(place))
    stopped = states(place)
    spared = {"chat-operator", "chat-postgres", "chat-kafka", "chat-valkey"}
    assert {name for name, state in stopped.items() if state is not True and state != 0} == spared
    writers.stop(place, writers.found(place))
    assert notes(place)["chat-analytics"] == "3"
    assert notes(place)["chat-api-tokens"] == "running"

    started = writers.start(place)
    assert states(place) == before
    assert {each.name: each.before for each in started}["chat-prober"] == 0, "what stood at 0 stays there"
    assert notes(place) == {}
    assert writers.start(place) == []


def test_the_newer_number_counts_when_somebody_scaled_up_meanwhile(place: Namespace) -> None:
    writers.stop(place, writers.found(place))
    place.kubectl("scale", "deployment/chat-api", "--replicas=5")
    writers.stop(place, writers.found(place))
    assert notes(place)["chat-api"] == "5"


def test_a_cronjob_that_was_suspended_stays_so(place: Namespace) -> None:
    place.kubectl("patch", "cronjob/chat-api-tokens", "--patch", '{"spec": {"suspend": true}}')
    writers.stop(place, writers.found(place))
    writers.start(place)
    assert states(place)["chat-api-tokens"] is True


def test_pods_that_may_write_are_waited_for_and_named(place: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "GONE_SECONDS", 0.0)
    parts = errands.parts(place)
    dsn = errands.owner_dsn(parts)
    own = errands.settle(parts, restoring.migrations(parts), {"ends": [], "replaced": "", "floors": {}}, dsn)
    place.kubectl("create", "-f", "-", given=json.dumps(own))
    writers.stop(place, writers.found(place))  # a pod of the restore itself is none of them
    left = {**own, "metadata": {"name": "left", "labels": {}}}
    place.kubectl("create", "-f", "-", given=json.dumps(left))
    with pytest.raises(DependencyUnavailable, match="still there: left"):
        writers.stop(place, writers.found(place))


def test_pod_security_takes_the_pods_and_the_right_policies_hold_for_them(place: Namespace) -> None:
    parts = errands.parts(place)
    dsn = errands.owner_dsn(parts, "signalink_restored")
    request = {"ends": [["messages", 0, 9]], "replaced": "", "floors": {}}
    pods = {
        "relay": errands.ends(parts),
        "api": errands.settle(parts, restoring.migrations(parts), request, dsn),
        "api again": errands.epochs(parts),
    }
    for source, pod in pods.items():
        assert "violate" not in made("create", f"--namespace={place.name}", "-f", "-", text=json.dumps(pod))
        labels = pod["metadata"]["labels"]
        chosen = {one["metadata"]["name"] for one in rendered().of("NetworkPolicy") if selects(one, labels)}
        assert chosen == {f"chat-{source.split()[0]}"}
        assert not [one for one in rendered().of("Service") if selects(one, labels)]


def selects(item: dict[str, Any], labels: dict[str, str]) -> bool:
    spec = item["spec"]
    wanted = spec["podSelector"]["matchLabels"] if "podSelector" in spec else spec["selector"]
    return all(labels.get(name) == value for name, value in wanted.items())


def test_the_settling_pod_migrates_each_schema_in_its_own_image_then_settles_as_owner(place: Namespace) -> None:
    parts = errands.parts(place)
    pod = errands.settle(parts, restoring.migrations(parts), {}, errands.owner_dsn(parts, "signalink_restored"))
    first, [last] = pod["spec"]["initContainers"], pod["spec"]["containers"]
    images = {one["name"]: one["image"].partition(":")[0] for one in [*first, last]}
    own = {f"migrate-{name}": f"signalink/{name}" for name in ("analytics", "api", "notifications")}
    assert images == {**own, "errand": "signalink/relay"}
    for container in (*first, last):
        dsns = [each["value"] for each in container["env"] if each["name"] == "SIGNALINK_POSTGRES_DSN"]
        assert dsns == [
            f"postgresql://signalink_owner@chat-postgres.{place.name}.svc.cluster.local:5432/signalink_restored"
        ]
    assert pod["spec"]["serviceAccountName"] == "chat-api-tokens"
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_without_the_cronjob_a_migration_is_the_twin_and_no_job_takes_the_pod(place: Namespace) -> None:
    place.kubectl("delete", "cronjob", "--all")
    parts = errands.parts(place)
    assert parts.tokens == []
    labels = errands.epochs(parts)["metadata"]["labels"]
    assert not [name for name in labels if "controller-uid" in name or "job-name" in name]


@pytest.mark.parametrize(
    ("gone", "what"),
    [("deployment/chat-relay deployment/chat-prober", "no relay"), ("cronjob,job --all", "no Job or CronJob")],
)
def test_what_the_steps_run_as_must_be_there(place: Namespace, gone: str, what: str) -> None:
    place.kubectl("delete", *gone.split())
    for name in ("analytics", "gateway", "notifications") if "relay" in gone else ():
        place.kubectl("delete", f"deployment/chat-{name}")
    with pytest.raises(ConfigurationError, match=what):
        errands.parts(place)


def test_our_own_postgres_is_found_and_another_one_told_from_it(place: Namespace, tmp_path: Path) -> None:
    found = restoring.server(place, "")
    assert found.database == "signalink"
    words = f"exec --stdin --namespace={place.name} chat-postgres-0 --container=postgres --"
    assert list(found.beside)[-6:] == words.split()
    place.kubectl("delete", "statefulset/chat-postgres")
    with pytest.raises(ConfigurationError, match="outside the namespace") as refused:
        restoring.write(place, tmp_path / "x.dump")
    assert "create-db-snapshot" in str(refused.value.next_step)
    (tmp_path / "y.dump").write_bytes(b"PGDMP")
    with pytest.raises(ConfigurationError) as refused:
        restoring.restore(place, tmp_path / "y.dump", print)
    assert "`signalink restore --before`" in str(refused.value.next_step)
    with pytest.raises(ConfigurationError, match="no platform in the namespace default"):
        restoring.server(replace(place, name="default"), "")


def test_epochs_that_were_noted_are_found_again_and_go_with_the_start(place: Namespace) -> None:
    for writer in writers.found(place):
        place.kubectl("annotate", writer.called, f'{EPOCHS}={{"messaging": 7}}')
    writers.stop(place, writers.found(place))
    assert restoring.noted(writers.found(place)) == {"messaging": 7}
    writers.start(place)
    annotations = [each.document["metadata"].get("annotations", {}) for each in writers.found(place)]
    assert not [one for one in annotations if EPOCHS in one or NOTE in one]


def test_a_restore_that_fails_before_the_change_starts_all_again(place: Namespace, tmp_path: Path) -> None:
    before = states(place)
    writers.stop(place, writers.found(place))  # an earlier run was killed
    (tmp_path / "y.dump").write_bytes(b"PGDMP")
    with pytest.raises(DependencyUnavailable):  # there is no pod to execute anything in
        restoring.restore(place, tmp_path / "y.dump", print)
    assert states(place) == before
