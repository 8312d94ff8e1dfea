"""A stack of Pulumi keeps the promises that `helm test` would ask for: made in the cluster, awaited, taken away.

`helm` and `kubectl` are programs of this test; on a cluster with nodes `make e2e NAME=pulumi` runs the real ones.
"""

import json
import stat
from pathlib import Path

import pytest
import yaml

from signalink_core.errors import DependencyUnavailable
from signalink_stacks.cloud.graph import Graph
from signalink_stacks.clusters.plan import Access
from signalink_stacks.delivery import hooks, promises
from signalink_stacks.lib.prices import Resource

ACCESS = Access("k.yaml", "lab")
INPUTS = {"chart": "/charts/api", "name": "signalink", "namespace": "shop", "values": {"a": 1}}
CHART = Resource(hooks.CHART, "api-chart", INPUTS)
PROVIDER = Resource(promises.PROVIDER, "cluster-kubernetes", {"context": "lab", "kubeconfig": "k.yaml"})
JOBS = ("round-trip", "replays")
HELM = """#!/usr/bin/env python3
import json, pathlib, sys
here = pathlib.Path(__file__).parent
(here / "rendered").write_text(json.dumps([sys.argv[1:], json.load(sys.stdin)]))
sys.stdout.write((here / "chart").read_text())
"""
KUBECTL = """#!/usr/bin/env python3
import json, pathlib, sys
here = pathlib.Path(__file__).parent
words = [word for word in sys.argv[1:] if not word.startswith("-") or word == "-f"]
with (here / "called").open("a") as called:
    called.write(" ".join(sys.argv[1:]) + "\\n")
given = sys.stdin.read() if "-f" in words else ""
if words[0] in ("apply", "delete"):
    (here / words[0]).write_text(given)
elif words[0] == "get":
    asked = here / f"asked-{words[2]}"
    asked.write_text(asked.read_text() + "x" if asked.exists() else "x")
    ends = json.loads((here / "ends").read_text()).get(words[2], "Complete") if len(asked.read_text()) > 1 else ""
    print(json.dumps({"status": {"conditions": [{"type": ends, "status": "True"}]} if ends else {}}))
elif words[0] == "version":
    print(json.dumps({"serverVersion": {"gitVersion": "v1.34.10"}}))
elif words[0] == "logs":
    print("posted 1\\nbut read 0")
"""


def hook(kind: str, name: str, weight: str = "", on: str = "test") -> dict[str, object]:
    notes = {hooks.HOOK: on} | ({f"{hooks.HOOK}-weight": weight} if weight else {})
    return {"kind": kind, "metadata": {"name": name, "annotations": notes}}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("helm", HELM), ("kubectl", KUBECTL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(stat.S_IRWXU)
    documents = [
        {"kind": "Deployment", "metadata": {"name": "api"}},
        *(hook("Job", name) for name in JOBS),
        hook("Job", "migrate", on="pre-install"),
        hook("NetworkPolicy", "way", "-5"),
    ]
    (tmp_path / "chart").write_text(yaml.safe_dump_all(documents))
    (tmp_path / "ends").write_text("{}")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(hooks, "POLL_SECONDS", 0.0)
    return tmp_path


def ends(cluster: Path, **jobs: str) -> None:
    (cluster / "ends").write_text(json.dumps(jobs))


def test_the_charts_are_those_of_the_stack_with_its_values(cluster: Path) -> None:
    said: list[str] = []
    stack = Graph("existing", "existing", "small", (CHART, PROVIDER))
    assert promises.of(stack, said.append)({}) == ""
    words, values = json.loads((cluster / "rendered").read_text())
    assert words[:3] == ["template", "signalink", "/charts/api"] and values == {"a": 1}
    assert "--kube-version=v1.34.10" in words
    assert said == ["promises: 2 kept"]


def test_only_test_hooks_are_made_the_way_before_the_jobs(cluster: Path) -> None:
    assert hooks.promise(hooks.charts([CHART]), ACCESS, lambda _: None) == ""
    made = [document["metadata"]["name"] for document in yaml.safe_load_all((cluster / "apply").read_text())]
    assert made == ["way", *JOBS]
    calls = (cluster / "called").read_text().splitlines()
    assert all("--kubeconfig=k.yaml --context=lab" in call for call in calls)
    assert all("--namespace=shop" in call for call in calls if " version " not in call)


def test_nothing_stays_whether_it_was_kept_or_not(cluster: Path) -> None:
    for state in ("Complete", "Failed"):
        ends(cluster, replays=state)
        (cluster / "delete").unlink(missing_ok=True)
        hooks.promise(hooks.charts([CHART]), ACCESS, lambda _: None)
        assert (cluster / "delete").read_text() == (cluster / "apply").read_text()
        verbs = [line.split()[2] for line in (cluster / "called").read_text().splitlines() if " version " not in line]
        assert verbs[0] == verbs[-1] == "delete"


def test_what_is_not_kept_is_named_with_its_last_words(cluster: Path) -> None:
    ends(cluster, replays="Failed")
    said: list[str] = []
    found = hooks.promise(hooks.charts([CHART]), ACCESS, said.append)
    assert found == "replays Failed (posted 1 / but read 0)" and said == ["promises: 1 kept, 1 not"]


def test_a_job_without_an_end_is_not_waited_for_for_ever(cluster: Path) -> None:
    ends(cluster, replays="")
    found = hooks.promise(hooks.charts([CHART]), ACCESS, lambda _: None, seconds=0)
    assert "replays has no end after 0 s" in found


def test_a_stack_without_promises_is_not_taken_for_one_that_keeps_them(cluster: Path) -> None:
    (cluster / "chart").write_text("kind: Deployment\nmetadata: {name: api}\n")
    assert "No chart makes a promise" in hooks.promise(hooks.charts([CHART]), ACCESS, lambda _: None)


def test_a_cluster_that_refuses_is_told(cluster: Path) -> None:
    (cluster / "kubectl").write_text("#!/bin/sh\necho forbidden >&2\nexit 1\n")
    with pytest.raises(DependencyUnavailable, match="forbidden"):
        hooks.promise(hooks.charts([CHART]), ACCESS, lambda _: None)


def test_a_stack_at_the_cloud_is_asked_by_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Graph("eks", "eks", "lite", (CHART, PROVIDER))
    assert "no addresses" in promises.of(stack, lambda _: None)({})
