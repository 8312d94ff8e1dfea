"""One namespace takes one door, and a stack never takes a namespace that was there before it."""

import json
import stat
from pathlib import Path

import pytest

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.clusters import ownership
from signalink_stacks.clusters.ownership import Door, Found
from signalink_stacks.clusters.plan import Access, Wishes

MINE = "existing-lab"
WISHES = Wishes("existing", context="lab", namespace="shop")
ACCESS = Access("k.yaml", "lab")


@pytest.mark.parametrize(
    ("found", "door"),
    [
        (Found(), "pulumi"),
        (Found(), "helm"),
        (Found(there=True), "helm"),
        (Found(there=True, release=True), "helm"),
        (Found(there=True, stack=MINE), "pulumi"),
    ],
)
def test_nothing_is_in_the_way(found: Found, door: Door) -> None:
    assert ownership.refusal(found, door, MINE, WISHES) is None


@pytest.mark.parametrize(
    ("found", "door", "what", "following"),
    [
        (Found(True, "", True), "pulumi", "holds Helm's release signalink", "--by helm"),
        (Found(True, MINE), "helm", f"belongs to the stack {MINE} of Pulumi", "--by pulumi"),
        (Found(True, "existing"), "pulumi", "belongs to the stack existing of Pulumi", "signalink deploy -s existing"),
        (
            Found(True),
            "pulumi",
            "no stack made it: taking the stack down would delete all",
            "kubectl label namespace shop",
        ),
    ],
)
def test_a_namespace_of_somebody_else_is_refused_with_a_way_out(
    found: Found, door: Door, what: str, following: str
) -> None:
    with pytest.raises(ConfigurationError, match=what) as refused:
        ownership.require(found, door, MINE, WISHES)
    assert "namespace shop" in refused.value.detail and following in str(refused.value.next_step)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `kubectl` that answers with the files `namespace` and `secrets`, and notes what it was asked."""
    program = tmp_path / "kubectl"
    program.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\ncat {tmp_path}/$4 2>/dev/null\nexit 0\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_a_namespace_is_known_by_its_label_and_by_helms_secret(cluster: Path) -> None:
    assert ownership.look(ACCESS, "shop") == Found()
    labels = {"signalink.dev/stack": MINE}
    (cluster / "namespace").write_text(json.dumps({"metadata": {"labels": labels}}))
    assert ownership.look(ACCESS, "shop") == Found(True, MINE, False)
    (cluster / "namespace").write_text(json.dumps({"metadata": {}}))
    (cluster / "secrets").write_text("secret/sh.helm.release.v1.signalink.v1\n")
    found = ownership.look(ACCESS, "shop")
    assert (found, found.door) == (Found(True, "", True), "helm")
    asked = (cluster / "asked").read_text()
    assert asked.count("--kubeconfig=k.yaml --context=lab") == len(asked.splitlines())


def test_a_cluster_that_does_not_answer_is_told(cluster: Path) -> None:
    (cluster / "kubectl").write_text("#!/bin/sh\necho 'connection refused' >&2\nexit 1\n")
    with pytest.raises(DependencyUnavailable, match="connection refused"):
        ownership.look(ACCESS, "shop")


def test_without_kubectl_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyUnavailable, match="kubectl is not on PATH"):
        ownership.look(ACCESS, "shop")
