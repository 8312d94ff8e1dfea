"""Every object of a release can be made, however long the name of the release is, and has a name of its own."""

import functools

import checklist
import pytest
from charting import ENGINES, OBSERVERS, SERVICES, UMBRELLA, Rendered, render
from test_checklist import manifests

LENGTHS = [30, 34, 35, 36, 38, 39, 40, 53]
"""Around those at which names of Jobs would pass 63 characters, and the longest that Helm takes."""
MOST = {"CronJob": 52, "StatefulSet": 52}
"""Kinds whose parts are called after them with a suffix of Kubernetes' own."""


@functools.cache
def whole(release: str) -> Rendered:
    values = {name: {} for name in (*SERVICES, *ENGINES, *OBSERVERS)} | {"tags": {"observability": True}}
    return render(UMBRELLA, values, release)


@pytest.mark.parametrize("length", LENGTHS)
def test_every_object_of_a_long_release_has_a_legal_name(length: int) -> None:
    rendered = whole("r" * length)
    subject = checklist.Subject(rendered, "defaults", manifests())
    assert checklist.h15_metadata(subject) == []
    assert checklist.h04_own_account(subject) == []
    for one in rendered.of(*MOST):
        assert len(one["metadata"]["name"]) <= MOST[one["kind"]], one["metadata"]["name"]
    assert {each["metadata"]["labels"]["app.kubernetes.io/component"] for each in rendered.of("Job")} >= {
        "postgres-bootstrap",
        "kafka-bootstrap",
        "api-migrate",
        "postgres-test",
    }


@pytest.mark.parametrize("length", LENGTHS)
def test_jobs_of_two_long_releases_have_names_of_their_own(length: int) -> None:
    names = [one["metadata"]["name"] for end in "ab" for one in whole("r" * (length - 1) + end).of("Job")]
    assert len(names) == len(set(names))


def test_the_longest_override_of_a_name_leaves_space_for_suffixes() -> None:
    for chart in ENGINES:
        rendered = render(chart, {"fullnameOverride": "n" * 45})
        assert checklist.h15_metadata(checklist.Subject(rendered, "defaults", manifests())) == []


def test_a_name_that_fits_is_what_it_was() -> None:
    names = {one["metadata"]["name"].rpartition("-")[0] for one in whole("r" * 34).of("Job")}
    assert {f"{'r' * 34}-postgres-bootstrap", f"{'r' * 34}-postgres-test-keeps"} <= names
