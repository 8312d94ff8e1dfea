"""What is rendered is what an API server takes: Kubernetes' own schemas, strict, of the oldest and newest version.

Resources of our own kinds are checked against our definitions, by the operator's own reading of them.
"""

import kubernetes_validate
import pytest
import strict
import yaml
from cases import RENDERS
from charting import CHARTS, RELEASED, ROOT, Object, helm, render, render_by_program, whole_charts


@pytest.mark.parametrize("version", [strict.OLDEST, strict.NEWEST])
@pytest.mark.parametrize(("chart", "case"), RENDERS)
def test_every_object_fits_the_schemas_of_kubernetes(chart: str, case: str, version: str) -> None:
    objects = strict.known(chart, case)
    assert objects
    assert strict.wrong(version, objects) == {}
    assert strict.verdict(version, strict.damaged(objects)) != "", "a planted fault was not found"


def test_the_check_finds_a_wrong_type_and_a_kind_that_is_gone() -> None:
    deployment = render("api").one("Deployment")
    wrong = deployment | {"spec": deployment["spec"] | {"replicas": "two"}}
    assert "'two' is not of type 'integer'" in strict.verdict(strict.NEWEST, wrong)
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        kubernetes_validate.validate(deployment | {"apiVersion": "extensions/v1beta1"}, strict.NEWEST, strict=True)
    assert strict.verdict(strict.NEWEST, deployment | {"apiVersion": "extensions/v1beta1"}) != ""


def test_the_operators_definitions_know_every_field_of_our_topics() -> None:
    kinds = {}
    for path in (CHARTS / "operator/crds").iterdir():
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))
        version = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        kinds[definition["spec"]["names"]["kind"]] = set(version["properties"])
    topics = render("operator", {"topics": {"replicas": 3}}).of("Topic")
    assert topics
    assert all(set(topic["spec"]) <= kinds["Topic"] for topic in topics)
    assert {topic["spec"]["replicas"] for topic in topics} == {3}


@pytest.mark.skipif(helm() is None, reason="there is no helm on PATH to compare the library with")
@pytest.mark.parametrize("chart", ["api", "signalink"])
def test_the_program_and_the_library_render_the_same(chart: str) -> None:
    def known(objects: tuple[Object, ...]) -> list[str]:
        return sorted(str(one) for one in objects if one["kind"] != "Secret")

    program = render_by_program(whole_charts() / chart, RELEASED)
    assert known(program.objects) == known(render(chart).objects)
    assert program.notes == render(chart).notes


@pytest.mark.parametrize("chart", [path.parent.name for path in sorted(CHARTS.glob("*/Chart.yaml"))])
def test_a_chart_says_its_version_its_kubernetes_and_its_images(chart: str) -> None:
    document = yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text(encoding="utf-8"))
    images = {one["repository"]: one for one in yaml.safe_load((CHARTS / "images.yaml").read_text())["images"]}
    version = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition('version = "')[2].partition('"')[0]
    assert document["version"] == version
    assert document["kubeVersion"] == ">=1.30.0-0"
    named = yaml.safe_load(document.get("annotations", {}).get("artifacthub.io/images", "[]"))
    for one in named:
        repository, _, tag = one["image"].partition(":")
        assert images[repository]["tag"] == (tag or version)
    assert bool(named) == (chart not in {"lib", "signalink"})
