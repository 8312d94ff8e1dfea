"""Promises of the charts: each runs in an image that has what it needs, and a broken one is read by who asked."""

import re
import sys

import pytest
from charting import ROOT, UMBRELLA, Object, render

sys.path.append(str(ROOT / "tests/architecture"))

from house import locks


def jobs() -> list[Object]:
    found = render(UMBRELLA, {"tags": {"observability": True}}).of("Job")
    return [one for one in found if one["metadata"].get("annotations", {}).get("helm.sh/hook") == "test"]


def shown(job: Object) -> tuple[str, str]:
    """Of which service the image is, and the promise."""
    container = job["spec"]["template"]["spec"]["containers"][0]
    return re.split("[@:]", container["image"])[0].rpartition("/")[2], container["args"][0]


SHOWN = sorted({shown(job) for job in jobs()})


def test_every_chart_shows_one() -> None:
    assert len(jobs()) >= 19
    assert {"keeps-kafka", "round-trip", "managed", "published", "targets", "spans"} <= {name for _, name in SHOWN}


@pytest.mark.parametrize(("image", "promise"), SHOWN)
def test_the_image_it_runs_in_has_all_it_imports(image: str, promise: str) -> None:
    """Without an address it is broken; without a package it would end with a traceback."""
    said = locks.promise_with_only(ROOT / "requirements" / f"{image}.txt", promise)
    assert said.startswith(f"promise {promise}: broken: "), f"{promise} in signalink/{image}: {said}"


def test_a_missing_package_is_found() -> None:
    assert "No module named 'httpx'" in locks.promise_with_only(ROOT / "requirements/topics.txt", "published")


def test_helm_prints_what_a_broken_one_says() -> None:
    for job in jobs():
        annotations = job["metadata"]["annotations"]
        assert annotations["helm.sh/hook-output-log-policy"] == "hook-failed"
        assert "hook-failed" not in annotations["helm.sh/hook-delete-policy"], "its log can be read again"
