"""The whole graph of every stack and profile: parents, providers, order, secrets, labels and tags, identities."""

import json
from collections.abc import Iterator
from typing import Any

import graphs
import pulumi
import pytest

from signalink_stacks.graph.recording import HIDDEN, Recorder, marked, record
from signalink_stacks.layers import reading
from signalink_stacks.lib import config, tags, words
from signalink_stacks.lib.images import root

SERVICES = ("api", "relay", "gateway", "analytics", "notifications", "prober")
PROVIDER = "pulumi:providers:"


@pytest.mark.parametrize("case", graphs.CASES)
def test_the_graph_is_the_one_that_was_reviewed(case: str) -> None:
    golden = (graphs.GOLDEN / f"{case}.txt").read_text(encoding="utf-8")
    assert graphs.lines(case) == golden, "look at the difference, then: python tests/graph/graphs.py"


@pytest.mark.parametrize("case", graphs.CASES)
def test_every_resource_is_below_a_component_of_ours(case: str) -> None:
    everything = graphs.found(case)
    known = {each.urn: each for each in everything}
    for each in everything:
        if each.type.startswith(("signalink:", PROVIDER)):
            continue
        parent = known.get(each.parent)
        assert parent is not None, f"{each.type} {each.name} is right below the stack"
        assert parent.type.startswith(("signalink:", "kubernetes:", "aws:")), each.name


@pytest.mark.parametrize("case", graphs.CASES)
def test_every_resource_names_its_provider(case: str) -> None:
    for each in graphs.found(case):
        if each.type.startswith(PROVIDER) or not (each.custom or each.remote):
            continue
        package = each.type.partition(":")[0]
        assert f"{PROVIDER}{package}::" in each.provider, f"{each.type} {each.name}: {each.provider or 'a default one'}"


@pytest.mark.parametrize("case", graphs.IN_CLUSTER)
def test_everything_goes_in_the_order_that_leaves_nothing_behind(case: str) -> None:
    everything = graphs.found(case)
    urn = {each.urn: each for each in everything}
    operator = graphs.one(everything, "Chart", "operator-chart")
    topic = graphs.one(everything, "Topic", "topics-messages")
    names = {urn[each].name for each in graphs.after(everything, topic)}
    assert operator.name in names, "a topic goes before its operator"

    def before_chart(name: str) -> set[str]:
        return {urn[each].name for each in graphs.after(everything, graphs.one(everything, "Chart", name))}

    for service in SERVICES:
        before = before_chart(f"{service}-chart")
        assert {f"{service}-secret", "platform-namespace", "definitions-topics"} <= before, service
        assert ({"topics-messages", "operator-chart"} <= before) is (service != "api"), service
    for chart in ("postgres", "valkey", "kafka"):
        if any(each.name == f"{chart}-chart" for each in everything):
            assert f"{chart}-chart" in before_chart("relay-chart")
            assert f"{chart}-secret" in before_chart(f"{chart}-chart")


@pytest.mark.parametrize("case", graphs.IN_CLUSTER)
def test_the_operator_gets_its_token_from_the_api_that_was_made_before_it(case: str) -> None:
    """The api's chart issues it, the operator's reads it, and on the way out the operator goes before the api."""
    everything = graphs.found(case)
    urn = {each.urn: each for each in everything}
    api, operator = (graphs.one(everything, "Chart", f"{name}-chart") for name in ("api", "operator"))
    before = graphs.after(everything, operator)
    assert {"api-chart", "api-secret", "api-keys-secret", "operator-secret"} <= {urn[each].name for each in before}
    assert not {each for each in graphs.after(everything, api) if urn[each].name.startswith(("operator", "topics"))}
    for chart in (api, operator):
        assert chart.inputs["values"]["global"]["serviceTokens"] is True, chart.name
    assert "apiToken" not in operator.inputs["values"], "the operator reads the Secret that the Job fills"


@pytest.mark.parametrize("case", graphs.IN_CLUSTER)
def test_no_job_goes_by_itself_and_comes_back_as_a_drift(case: str) -> None:
    charts = [each for each in graphs.found(case) if each.type.endswith("helm.sh/v4:Chart") and "values" in each.inputs]
    missing = [each.name for each in charts if each.inputs["values"].get("global", {}).get("keepJobs") is not True]
    assert [name for name in missing if name.removesuffix("-chart") in (*SERVICES, "operator")] == []


@pytest.mark.parametrize("case", graphs.IN_CLUSTER)
def test_the_order_has_no_circle(case: str) -> None:
    everything = graphs.found(case)
    for each in everything:
        if each.custom or each.remote:
            assert each.urn not in graphs.after(everything, each), each.name


@pytest.mark.parametrize("case", ["eks-lite", "eks-full"])
def test_what_is_in_a_cluster_of_the_stack_goes_with_it(case: str) -> None:
    everything = graphs.found(case)
    cluster = next(each for each in everything if each.type == "aws:eks/cluster:Cluster")
    # What joins pods to load balancers is deleted by itself: its controller must let go of them first.
    inside = [each for each in everything if each.type.startswith("kubernetes:") and "joining" not in each.name]
    missing = [f"{each.type} {each.name}" for each in inside if each.deleted_with != cluster.urn]
    assert len(inside) > 25 and not missing


@pytest.mark.parametrize("case", graphs.IN_CLUSTER)
def test_the_kinds_of_the_cluster_outlive_the_stack(case: str) -> None:
    """They are every stack's in it: with them all Topics and Channels of the whole cluster would go (0131)."""
    everything = graphs.found(case)
    kinds = {each.name: each for each in everything if each.type.endswith(":CustomResourceDefinition")}
    assert set(kinds) == {"definitions-topics", "definitions-channels"}
    assert {each.name for each in everything if each.retained} == set(kinds)
    for name, each in kinds.items():
        metadata, kind = each.inputs["metadata"], name.removeprefix("definitions-")
        assert metadata["name"] == f"{kind}.signalink.dev"
        assert tags.STACK not in metadata["labels"], "a sweep by the label would take it"
        assert metadata["annotations"]["pulumi.com/patchForce"] == "true", "another stack's may be there"
        # An older stack has it in a group: taken for another one, it would be deleted there.
        (before,) = each.aliases
        assert f"definitions-crds:{metadata['name']}" in before and "yaml/v2:ConfigGroup::definitions-crds" in before


def values(tree: Any, *, secret: bool = False) -> Iterator[tuple[bool, str]]:
    """Every text of a tree, and whether it or something around it carries the mark of a secret."""
    if isinstance(tree, dict):
        for value in tree.values():
            yield from values(value, secret=secret or marked(tree))
    elif isinstance(tree, list):
        for value in tree:
            yield from values(value, secret=secret)
    else:
        yield secret, str(tree)


@pytest.mark.parametrize("case", graphs.CASES)
def test_no_secret_is_given_without_the_mark(case: str) -> None:
    seen = 0
    for each in graphs.found(case):
        for secret, text in values(each.raw):
            if graphs.CANARY in text:
                seen += 1
                assert secret, f"{each.type} {each.name} has a secret in clear"
        assert graphs.CANARY not in json.dumps(each.inputs), each.name
    assert seen > 10 or case == "aws-lite"
    assert graphs.CANARY not in json.dumps(graphs.recorded(case).outputs)


def test_a_secret_in_clear_would_be_found() -> None:
    tree = {"a": {"b": f"{graphs.CANARY}-x"}}
    assert [secret for secret, text in values(tree) if graphs.CANARY in text] == [False]


@pytest.mark.parametrize("case", graphs.IN_CLUSTER)
def test_every_word_of_a_stack_is_in_a_secret_and_only_there(case: str) -> None:
    secrets = [each for each in graphs.found(case) if each.type == "kubernetes:core/v1:Secret"]
    assert all(each.inputs["stringData"] == HIDDEN for each in secrets)
    own = {f"signalink-{name}-secrets" for name in (*SERVICES, "operator")}
    assert own <= {each.inputs["metadata"]["name"] for each in secrets}


@pytest.mark.parametrize("case", graphs.IN_CLUSTER)
def test_what_is_in_a_cluster_is_labelled_with_its_stack(case: str) -> None:
    stack = case.partition("-")[0]
    for each in graphs.found(case):
        if each.type.startswith("kubernetes:helm.sh/v4") and each.name.removesuffix("-chart") in SERVICES:
            assert each.inputs["values"]["commonLabels"][tags.STACK] == stack
        elif each.retained:
            assert tags.STACK not in each.inputs["metadata"]["labels"]
        elif each.type.startswith("kubernetes:") and "metadata" in each.inputs and "joining" not in each.name:
            labels = each.inputs["metadata"].get("labels", {})
            assert labels.get(tags.STACK) == stack, f"{each.type} {each.name}"


@pytest.mark.parametrize("case", graphs.ON_AWS)
def test_what_costs_is_tagged_with_stack_owner_and_end(case: str) -> None:
    for each in graphs.found(case):
        if each.type.startswith("aws:") and "tags" in each.inputs:
            found = each.inputs["tags"]
            assert found[tags.OWNER] == "ada" and found[tags.EXPIRES] == "2027-01-31", each.name
            assert found[tags.STACK] == case.partition("-")[0]


@pytest.mark.parametrize("case", ["eks-lite", "eks-full"])
def test_every_service_has_an_identity_of_its_own(case: str) -> None:
    associations = [each for each in graphs.found(case) if "podIdentityAssociation" in each.type]
    accounts = [each.inputs["serviceAccount"] for each in associations]
    assert {f"signalink-{name}" for name in (*SERVICES, "operator")} <= set(accounts)
    assert len(accounts) == len(set(accounts))
    roles = [json.dumps(each.inputs["roleArn"]) for each in associations]
    assert len(roles) == len(set(roles)), "two services share a role"


@pytest.mark.parametrize("case", graphs.IN_CLUSTER)
def test_the_namespace_refuses_pods_that_are_not_restricted(case: str) -> None:
    namespace = graphs.one(graphs.found(case), "Namespace", "platform-namespace")
    assert namespace.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("case", graphs.IN_CLUSTER)
def test_the_chart_of_the_operator_makes_no_topic_and_the_program_makes_all(case: str) -> None:
    everything = graphs.found(case)
    operator = graphs.one(everything, "Chart", "operator-chart")
    assert operator.inputs["values"]["topics"] == {"create": False}
    made = {each.inputs["metadata"]["name"] for each in everything if each.type.endswith("signalink.dev/v1:Topic")}
    assert {"messages", "presence", "dlq.messages"} <= made and len(made) == 8


def test_outputs_say_where_things_are_and_which_secrets_hold_the_words() -> None:
    outputs = graphs.recorded("existing-small").outputs
    assert outputs["urls"]["gateway"] == "ws://localhost:8001/v1/socket"
    assert outputs["bindings"]["postgres"]["secret"] == "signalink-postgres-auth"
    assert "lab" in outputs["reach"][0]


def test_a_stack_without_its_secrets_is_refused_before_anything_is_registered() -> None:
    with pytest.raises(pulumi.RunError, match="secrets: found 0 of them, expected also analytics-secret"):
        record("existing", graphs.EXISTING)
    kept: list[Recorder] = []
    original = Recorder.__init__

    def watched(self: Recorder, *args: Any) -> None:
        original(self, *args)
        kept.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "__init__", watched)
        with pytest.raises(pulumi.RunError):
            record("existing", {"target": "existing", "profil": "x"})
    assert [each.type for each in kept[0].found] == ["pulumi:pulumi:Stack"]


def test_secrets_in_clear_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "is_config_secret", lambda key: False)
    with pytest.raises(pulumi.RunError, match="secrets: found values in clear, expected values that Pulumi encrypts"):
        graphs.of("kind", graphs.CASES["kind-small"])


def test_every_secret_that_a_stack_wants_is_used_by_it() -> None:
    settings = config.parse("kind", graphs.CASES["kind-small"])
    wanted = {name for name in words.wanted(settings, root()) if name != words.KEYS}
    used = {
        text.removeprefix(f"{graphs.CANARY}-")
        for each in graphs.found("kind-small")
        for _, text in values(each.raw)
        if text.startswith(graphs.CANARY)
    }
    assert wanted <= used
