"""What a chart's README says is what the chart does: of upgrades, and in the examples of charts/README.md."""

import re
from typing import Any

import pytest
import yaml
from charting import ALL, CHARTS, RELEASED, SERVICES, UMBRELLA, Rendered, render, render_folder, whole_charts

from signalink_stacks.charts import composed
from signalink_stacks.charts.writing import Checkout

AGENT = {"to": [{"ipBlock": {"cidr": "169.254.170.23/32"}}], "ports": [{"port": 80}]}
"""Where a pod on EKS gets its role."""


def upgrades(chart: str) -> str:
    text = (CHARTS / chart / "README.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"^## Upgrades\n(.*?)^## ", text, flags=re.MULTILINE | re.DOTALL)
    return " ".join(found.split())


def truth(chart: str, rendered: Rendered) -> dict[str, bool]:
    """Words of the chapter -> whether they are true of what is rendered."""
    deployments, sets = rendered.lasting("Deployment"), rendered.lasting("StatefulSet")
    strategies = {one["spec"]["strategy"]["type"] for one in deployments}
    jobs = {one["metadata"]["name"] for one in rendered.lasting("Job")}
    kept = [one["metadata"].get("annotations", {}).get("helm.sh/resource-policy") for one in rendered.of("Secret")]
    values = yaml.safe_load((CHARTS / chart / "values.yaml").read_text(encoding="utf-8"))
    inits = [init["name"] for one in deployments for init in one["spec"]["template"]["spec"].get("initContainers", ())]
    migrates = any("-migrate-" in name for name in jobs)
    return {
        "a new one serves before an old one goes": strategies == {"RollingUpdate"},
        "The old pod goes before the new one comes": strategies == {"Recreate"},
        "A migration is a Job": migrates,
        "New pods wait until the schemas serve them": "wait-for-schema" in inits and not migrates,
        "`secrets.rotation`": "rotation" in values.get("secrets", {}),
        "One pod: an upgrade is a short outage": bool(sets),
        "The claim survives": any("volumeClaimTemplates" in one["spec"] for one in sets),
        "It keeps nothing on a volume": bool(sets) and not any("volumeClaimTemplates" in one["spec"] for one in sets),
        "The generated Secret survives": bool(sets) and "keep" in kept,
        "Major versions of the server": chart == "postgres",
        "--force-conflicts -f crds/": (CHARTS / chart / "crds").is_dir(),
    }


@pytest.mark.parametrize("chart", [chart for chart in ALL if chart != UMBRELLA])
def test_a_readme_says_of_upgrades_what_the_chart_does(chart: str) -> None:
    said, wanted = upgrades(chart), truth(chart, render(chart))
    assert {words: words in said for words in wanted} == wanted


@pytest.mark.parametrize("chart", ALL)
def test_what_a_readme_installs_is_whole(chart: str) -> None:
    """After `make charts`, which puts the whole charts into dist/charts; those in charts/ lack their dependencies."""
    text = (CHARTS / chart / "README.md").read_text(encoding="utf-8")
    (release, path) = re.findall(r"^helm install (\S+) (\S+) --values digests.yaml$", text, flags=re.MULTILINE)[0]
    folder = whole_charts() / chart if path.startswith("dist/charts/") else CHARTS.parent / path
    assert folder.name == path.rpartition("/")[2] == chart
    assert render_folder(folder, RELEASED, release).objects


def test_the_readme_of_the_whole_leaves_upgrades_to_its_parts() -> None:
    assert "Each chart's README says how that part is replaced" in upgrades(UMBRELLA)


def test_the_modes_of_migrations_say_that_a_hook_is_not_waited_for() -> None:
    """With --wait Helm waits for pods that wait for the hook, which it runs afterwards."""
    said = composed.at(Checkout(CHARTS.parent).fragments["migrations"]["migrations"], "mode")["description"]
    assert "not with --wait on the first install" in said
    assert "not with `--wait`" in (CHARTS / "README.md").read_text(encoding="utf-8")


def examples() -> list[dict[str, Any]]:
    text = (CHARTS / "README.md").read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


@pytest.mark.parametrize("number", range(len(examples())))
def test_every_example_of_values_is_taken_by_the_umbrella(number: int) -> None:
    assert render(UMBRELLA, examples()[number]).objects


def test_pods_of_the_example_for_aws_reach_what_gives_them_their_role() -> None:
    (example,) = [one for one in examples() if "aws_msk_iam" in str(one)]
    rendered = render(UMBRELLA, example)
    policies = {one["metadata"]["name"]: one["spec"] for one in rendered.lasting("NetworkPolicy")}
    assert rendered.of("StatefulSet") == []
    assert [name for name in SERVICES if AGENT not in policies[f"chat-{name}"]["egress"]] == []
    accounts = {one["metadata"]["name"].removeprefix("chat-") for one in rendered.lasting("ServiceAccount")}
    told = (CHARTS / "README.md").read_text(encoding="utf-8")
    assert accounts >= {"api-migrate", "api-tokens"}
    assert "`<release>-<chart>-migrate` and `<release>-api-tokens`" in told
