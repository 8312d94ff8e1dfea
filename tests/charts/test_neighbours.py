"""Platforms of one cluster leave each other in peace: an operator looks after its own namespace, unless told more."""

import pytest
from charting import NAMESPACE, UMBRELLA, Rendered, Values, main_container, render

WATCHED = "SIGNALINK_OPERATOR_WATCH_NAMESPACES"
CLUSTER = ("ClusterRole", "ClusterRoleBinding")


def operator(values: Values) -> Rendered:
    return render("operator", values)


def watched(rendered: Rendered) -> str | None:
    env = {item["name"]: item.get("value") for item in main_container(rendered)["env"]}
    return env.get(WATCHED)


def places(rendered: Rendered) -> set[str]:
    """Namespaces it has rights in."""
    return {role["metadata"]["namespace"] for role in rendered.lasting("Role", "RoleBinding")}


@pytest.mark.parametrize("values", [{}, {"watchNamespaces": []}, {"watchNamespaces": [NAMESPACE]}])
def test_an_operator_looks_after_its_own_namespace_with_rights_there_alone(values: Values) -> None:
    rendered = operator(values)
    assert watched(rendered) == NAMESPACE
    assert rendered.of(*CLUSTER) == []
    assert places(rendered) == {NAMESPACE}
    assert [one for one in rendered.of("Job") if one["metadata"]["name"].endswith("-test-managed")]


def test_a_release_of_everything_leaves_nothing_that_is_the_whole_clusters() -> None:
    rendered = render(UMBRELLA, {"tags": {"observability": True}})
    assert rendered.of(*CLUSTER) == []
    assert {one["metadata"].get("namespace") for one in rendered.objects} == {NAMESPACE}


@pytest.mark.parametrize("given", [["*"], ["*", "team-a"]])
def test_an_operator_of_the_whole_cluster_is_asked_for(given: list[str]) -> None:
    rendered = operator({"watchNamespaces": given})
    assert watched(rendered) is None
    names = {one["metadata"]["name"] for one in rendered.of(*CLUSTER)}
    assert names == {f"{NAMESPACE}-chat-operator", f"{NAMESPACE}-chat-operator-discovery"}
    assert [one for one in rendered.of("Job") if one["metadata"]["name"].endswith("-test-managed")]


def test_namespaces_that_are_named_come_beside_its_own_with_the_same_rights() -> None:
    """The platform's Topics and the operator's canaries are in its own."""
    rendered = operator({"watchNamespaces": ["team-a", "team-b"]})
    assert watched(rendered) == f"{NAMESPACE},team-a,team-b"
    assert {topic["metadata"]["namespace"] for topic in rendered.of("Topic")} == {NAMESPACE}
    reading = {
        role["metadata"]["namespace"]
        for role in rendered.lasting("Role")
        for rule in role["rules"]
        if {"topics", "channels"} & {*rule["resources"]} and {"list", "watch"} <= {*rule["verbs"]}
    }
    assert reading == {NAMESPACE, "team-a", "team-b"}
    assert [one for one in rendered.of("Job") if one["metadata"]["name"].endswith("-test-managed")]


@pytest.mark.parametrize("chart", ["operator", UMBRELLA])
def test_the_notes_say_whose_resources_nobody_looks_after(chart: str) -> None:
    def notes(*namespaces: str) -> str:
        own: Values = {"watchNamespaces": list(namespaces)}
        return render(chart, own if chart == "operator" else {"operator": own}).notes

    assert f"looks after Topics and Channels of: {NAMESPACE}\nThose of other namespaces stay as they are" in notes()
    assert f"looks after Topics and Channels of: {NAMESPACE}, team-a, team-b\n" in notes("team-a", "team-b")
    assert "looks after Topics and Channels of all namespaces: let no other" in notes("*")
    assert "Those of other" not in notes("*")
