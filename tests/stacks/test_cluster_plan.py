"""What is run for a cluster follows from what was asked for; which cluster is meant is never guessed."""

from pathlib import Path

import pytest
import yaml

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.clusters import plan, run
from signalink_stacks.clusters.plan import Built, Step, Wishes

EXISTING = Wishes("existing", context="team-a", kubeconfig="k.yaml")
BUILT = Built("abc", ("signalink/api:abc", "signalink/relay:abc"))


def words(steps: list[Step]) -> list[list[str]]:
    return [step.command for step in steps]


def test_a_kind_cluster_is_made_once_from_the_named_node_image() -> None:
    wishes = Wishes("kind", cluster="mine", node_image="node:1")
    [step] = plan.cluster(wishes, ["other"])
    assert step.command[:5] == ["kind", "create", "cluster", "--name", "mine"]
    assert step.command[-2:] == ["--image", "node:1"]
    assert yaml.safe_load(step.given)["networking"]["apiServerAddress"] == "127.0.0.1"
    assert plan.cluster(wishes, ["mine"]) == []
    assert plan.cluster(EXISTING, []) == []


def test_images_go_into_the_nodes_of_kind_and_of_no_other_cluster() -> None:
    loaded = words(plan.load(Wishes("kind", cluster="mine", images=("x:1",)), BUILT))
    assert [command[-1] for command in loaded] == ["signalink/api:abc", "signalink/relay:abc", "x:1"]
    assert plan.load(EXISTING, Built()) == []


def test_definitions_come_before_the_charts_and_the_namespace_before_both() -> None:
    steps = plan.install(Wishes("kind"), plan.check(Wishes("kind")), BUILT)
    assert [step.name for step in steps] == ["namespace", "definitions", "dependencies", "charts"]
    labels = yaml.safe_load(steps[0].given)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert "--server-side" in steps[1].command


def test_images_loaded_into_kind_run_by_tag_and_all_others_by_what_the_charts_pin() -> None:
    kind = plan.install(Wishes("kind"), plan.check(Wishes("kind")), BUILT)[-1].command
    assert {"--set=global.devImages=true", "--set-string=global.imageTag=abc"} <= set(kind)
    other = plan.install(EXISTING, plan.check(EXISTING), Built())[-1].command
    assert not [word for word in other if "devImages" in word]


def test_values_and_settings_reach_helm_in_order() -> None:
    wishes = Wishes("kind", values=("a.yaml", "b.yaml"), settings=("x=1",))
    command = plan.install(wishes, plan.check(wishes), BUILT)[-1].command
    assert command[-4:] == ["--values=charts/values-kind.yaml", "--values=a.yaml", "--values=b.yaml", "--set=x=1"]


def test_every_command_on_a_cluster_names_it() -> None:
    access = plan.check(EXISTING)
    steps = [*plan.install(EXISTING, access, Built()), *plan.remove(EXISTING, access)]
    named = [step.command for step in steps if step.name != "dependencies"]
    assert all({"--context=team-a", "--kube-context=team-a"} & set(command) for command in named)
    assert all("--kubeconfig=k.yaml" in command for command in named)


def test_the_current_context_is_never_taken() -> None:
    with pytest.raises(ConfigurationError, match="Which cluster"):
        plan.check(Wishes("existing"))
    assert plan.check(Wishes("kind", cluster="x")).context == "kind-x"


@pytest.mark.parametrize("context", ["prod", "eu-prod-1", "Production", "arn:aws:eks:x:cluster/prod"])
def test_a_cluster_called_like_production_needs_a_yes(context: str) -> None:
    with pytest.raises(ConfigurationError, match="like production"):
        plan.check(Wishes("existing", context=context))
    assert plan.check(Wishes("existing", context=context, yes=True)).context == context


@pytest.mark.parametrize("context", ["products", "reproduce", "kind-signalink"])
def test_other_names_need_none(context: str) -> None:
    assert plan.check(Wishes("existing", context=context)).context == context


def test_of_another_cluster_only_what_is_ours_goes_the_topics_before_their_operator() -> None:
    steps = plan.remove(EXISTING, plan.check(EXISTING))
    assert [step.name for step in steps] == ["topics", "charts"]
    assert words(plan.remove(Wishes("kind", cluster="x"), plan.check(Wishes("kind"))))[0][:3] == [
        "kind",
        "delete",
        "cluster",
    ]


def test_each_public_port_is_reached_by_a_command() -> None:
    [line] = plan.addresses(EXISTING, plan.check(EXISTING), [("api", 8000)])
    assert line.endswith("port-forward --namespace=signalink service/signalink-api 8000:8000")


def test_steps_run_in_the_checkout_with_their_input(tmp_path: Path) -> None:
    said: list[str] = []
    run.steps([Step("a", ["sh", "-c", "cat > given; pwd > place"], "hello", about="doing")], tmp_path, said.append)
    assert (tmp_path / "given").read_text() == "hello"
    assert (tmp_path / "place").read_text().strip() == str(tmp_path)
    assert said == ["a: doing"]


def test_the_first_step_that_fails_ends_it_with_its_last_lines(tmp_path: Path) -> None:
    steps = [Step("a", ["sh", "-c", "echo because; exit 3"]), Step("b", ["touch", "b"])]
    with pytest.raises(DependencyUnavailable, match=r"a failed \(exit 3\):\nbecause"):
        run.steps(steps, tmp_path, lambda _: None)
    assert not (tmp_path / "b").exists()


def test_a_missing_program_and_a_hanging_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DependencyUnavailable, match="nothing-of-that-name is not on PATH"):
        run.steps([Step("a", ["nothing-of-that-name"])], tmp_path, lambda _: None)
    with pytest.raises(DependencyUnavailable, match="a took longer than 0 s"):
        run.steps([Step("a", ["sleep", "60"], patience=0.2)], tmp_path, lambda _: None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no-such-program", "get"], "no-such-program is not on PATH"),
        (["sh", "-c", "echo refused >&2; exit 3"], "`sh -c` failed: refused"),
        (["sh", "-c", "exit 3"], "`sh -c` failed: no message"),
        (["sleep", "30"], r"`sleep 30` took longer than 0 s"),
    ],
)
def test_who_asks_a_cluster_in_vain_hears_why_and_what_next(words: list[str], message: str) -> None:
    with pytest.raises(DependencyUnavailable, match=message) as caught:
        run.ask(words, seconds=0.2 if words[0] == "sleep" else 20.0)
    assert caught.value.next_step
    assert run.ask(["cat"], "what was given") == "what was given"
