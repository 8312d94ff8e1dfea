"""The kinds Topic and Channel are the whole cluster's: they go when nobody uses them any more, and not before."""

import stat
from pathlib import Path

import pytest

from signalink_core.errors import DependencyUnavailable
from signalink_labs.cli import app
from signalink_stacks.clusters import definitions
from signalink_stacks.clusters.plan import Access

ACCESS = Access("k.yaml", "lab")
KINDS = "channels.signalink.dev,topics.signalink.dev"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `kubectl` that answers with the files `api-resources`, `deployments`, `objects`, and notes what it was told."""
    program = tmp_path / "kubectl"
    program.write_text(
        f"""#!/bin/sh
echo "$*" >> {tmp_path}/asked
test -e {tmp_path}/broken && {{ echo 'connection refused' >&2; exit 1; }}
case "$3 $4" in
  "api-resources"*) cat {tmp_path}/api-resources;;
  "get deployments") cat {tmp_path}/deployments;;
  "get {KINDS}") cat {tmp_path}/objects;;
esac 2>/dev/null
exit 0
"""
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def known(cluster: Path) -> None:
    (cluster / "api-resources").write_text("channels.signalink.dev\ntopics.signalink.dev\n")


def deleted(cluster: Path) -> bool:
    line = "--kubeconfig=k.yaml --context=lab delete -f operator/crds/ --ignore-not-found --timeout=120s"
    return line in (cluster / "asked").read_text().splitlines()


def test_namespaces_with_topics_channels_or_an_operator_are_named(cluster: Path) -> None:
    assert definitions.others(ACCESS, "shop") == [], "the cluster knows none of our kinds"
    (cluster / "deployments").write_text("shop\nwatching\n")
    assert definitions.others(ACCESS, "shop") == ["watching"], "its operator waits for the kinds"
    known(cluster)
    (cluster / "objects").write_text("shop\nlab\nlab\n")
    assert definitions.others(ACCESS, "shop") == ["lab", "watching"]


def test_the_last_one_takes_the_kinds_away(cluster: Path) -> None:
    known(cluster)
    (cluster / "objects").write_text("shop\n")
    said: list[str] = []
    assert definitions.remove(ACCESS, "shop", cluster, said.append)
    assert deleted(cluster) and said == ["definitions: deleting the kinds Topic and Channel"]


@pytest.mark.parametrize(("others", "gone"), [("shop\n", True), ("shop\nlab\n", False)])
def test_down_ends_with_the_kinds_through_helms_door_too(
    cluster: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], others: str, gone: bool
) -> None:
    """After the release, and without a word of refusal when somebody else has Topics."""
    known(cluster)
    (cluster / "objects").write_text(others)
    (cluster / "helm").write_text(f'#!/bin/sh\necho "helm $*" >> {cluster}/asked\n')
    (cluster / "helm").chmod(0o755)
    (cluster / "k.yaml").touch()
    monkeypatch.setenv("SIGNALINK_STATE", str(cluster / "state"))
    place = ["--kubeconfig", str(cluster / "k.yaml"), "--context", "lab", "--namespace", "shop"]
    assert app.run(["down", "--target", "existing", *place]) == 0
    asked = (cluster / "asked").read_text().splitlines()
    uninstalled = next(number for number, line in enumerate(asked) if line.startswith("helm "))
    removals = [number for number, line in enumerate(asked) if "delete -f operator/crds/" in line]
    assert [number > uninstalled for number in removals] == ([True] if gone else [])
    assert ("lab use Topics and Channels too" in capsys.readouterr().out) is not gone


def test_kinds_that_others_use_are_left_and_these_are_named(cluster: Path) -> None:
    known(cluster)
    (cluster / "objects").write_text("lab\n")
    said: list[str] = []
    assert not definitions.remove(ACCESS, "shop", cluster, said.append)
    assert not deleted(cluster) and "lab use Topics and Channels" in said[0]


def test_a_cluster_that_does_not_answer_keeps_them_and_the_command_is_told(cluster: Path) -> None:
    (cluster / "broken").touch()
    said: list[str] = []
    assert not definitions.remove(ACCESS, "shop", cluster, said.append)
    assert "connection refused" in said[0] and "--context=lab delete -f operator/crds/" in said[0]
    with pytest.raises(DependencyUnavailable, match="connection refused"):
        definitions.others(ACCESS, "shop")
