"""charts/values-kind.yaml and the stand-ins of the long proof: they fit the schemas, and ask for little."""

from typing import Any

import yaml
from charting import ROOT, SERVICES, UMBRELLA, render

VALUES = yaml.safe_load((ROOT / "charts/values-kind.yaml").read_text(encoding="utf-8"))
STAND_INS = yaml.safe_load((ROOT / "tests/e2e/kind/stand-ins.yaml").read_text(encoding="utf-8"))
MOST_MILLICORES = 500


def on_kind(**more: Any) -> Any:
    """As `signalink up --target kind` renders it."""
    built = {"devImages": True, "imageTag": "abc", **more}
    return render(UMBRELLA, VALUES | {"global": VALUES["global"] | built})


def test_one_of_everything_asks_for_half_a_core_together() -> None:
    asked = 0
    workloads = on_kind().of("Deployment", "StatefulSet")
    assert {each["metadata"]["name"].rpartition("-")[2] for each in workloads} >= set(SERVICES)
    for each in workloads:
        assert each["spec"]["replicas"] == 1, each["metadata"]["name"]
        containers = each["spec"]["template"]["spec"]["containers"]
        asked += sum(int(found["resources"]["requests"]["cpu"].removesuffix("m")) for found in containers)
    assert asked <= MOST_MILLICORES


def test_images_of_this_checkout_run_by_tag_and_are_not_pulled() -> None:
    for each in on_kind().of("Deployment"):
        for container in each["spec"]["template"]["spec"]["containers"]:
            assert container["image"].endswith(":abc")
            assert container["imagePullPolicy"] == "IfNotPresent"


def test_the_stand_ins_take_the_place_of_every_engine_and_need_no_ipv6() -> None:
    text = on_kind(**STAND_INS["global"]).text
    images = {line.partition("image:")[2].strip().strip('"') for line in text.splitlines() if " image:" in line}
    assert {image.split("/")[0] for image in images} == {"signalink", "signalink-test"}
    assert "::/0" not in text
