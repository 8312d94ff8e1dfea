"""What a stack of `signalink up` is called and what it says follows from what was asked for."""

import pytest

from signalink_core.errors import ConfigurationError
from signalink_stacks.clusters import plan, stacked
from signalink_stacks.clusters.plan import Access, Wishes
from signalink_stacks.lib import chartfolder, config
from signalink_stacks.lib.images import root


def name(target: plan.Target = "existing", **more: str) -> str:
    wishes = Wishes(target, **more)  # type: ignore[arg-type]
    return stacked.name(wishes, plan.check(wishes))


def test_each_namespace_of_each_cluster_is_a_stack_of_its_own() -> None:
    assert name("kind") == "kind"
    assert name("kind", cluster="mine", namespace="shop") == "kind-mine-shop"
    assert name(context="lab") == "existing-lab"
    names = [
        name(context=context, namespace=namespace, kubeconfig=file)
        for context in ("lab", "Lab", "lab.2", "lab-2", "arn:aws:eks:eu-central-1:123456789012:cluster/" + "x" * 40)
        for namespace in ("signalink", "shop")
        for file in ("", "/a/config", "/b/config")
    ]
    assert len(set(names)) == len(names)
    assert all(len(each) <= 63 and each.strip("-") == each == each.lower() for each in names)


def test_what_was_asked_for_lies_over_what_the_target_says() -> None:
    wishes = Wishes("existing", context="lab", namespace="shop", kubeconfig="/k", yes=True)
    base = {
        "signalink:target": "existing",
        "signalink:cluster": {"storageClass": "fast"},
        "signalink:values": {"api": {"replicaCount": 3, "resources": {}}},
    }
    given = {"api": {"replicaCount": 1}, "global": {"environment": "local"}}
    found = stacked.settings(wishes, plan.check(wishes), base, {}, given)
    assert found["signalink:cluster"] == {
        "storageClass": "fast", "context": "lab", "namespace": "shop", "kubeconfig": "/k", "yes": True,
    }  # fmt: skip
    assert found["signalink:values"] == {
        "api": {"replicaCount": 1, "resources": {}},
        "global": {"environment": "local"},
    }
    raw = {key.removeprefix("signalink:"): value for key, value in found.items()}
    assert config.parse("existing-lab", raw, charts=chartfolder.charts(root())).cluster.namespace == "shop"


def test_images_of_the_umbrella_become_the_stacks_own_key() -> None:
    """There the policy pack reads whether images may be named by tag, and from which registries they come."""
    given = {"global": {"devImages": True, "imageTag": "abc", "imageMap": {"postgres": "mirror/pg"}, "x": 1}}
    found = stacked.settings(Wishes("existing"), Access("", "lab"), {}, {}, given)
    assert found["signalink:images"] == {"dev": True, "tag": "abc", "map": {"postgres": "mirror/pg"}}
    assert found["signalink:values"] == {"global": {"x": 1}}


def test_what_watches_is_off_unless_it_is_asked_for() -> None:
    def watched(base: bool | None = None, **values: object) -> object:
        own = {} if base is None else {"signalink:observability": base}
        return stacked.settings(Wishes("kind"), Access("", "c"), own, {}, dict(values))["signalink:observability"]

    assert (watched(), watched(base=True)) == (False, True)
    assert (watched(tags={"observability": True}), watched(base=True, tags={"observability": False})) == (True, False)


def test_secrets_are_kept_and_on_kind_the_images_of_the_last_deployment_too() -> None:
    kept = {"signalink:secrets": {"secure": "v1:x"}, "signalink:images": '{"tag": "old"}', "signalink:values": {"a": 1}}
    kind = stacked.settings(Wishes("kind"), Access("", "c"), {}, kept, {})
    other = stacked.settings(Wishes("existing"), Access("", "c"), {}, kept, {})
    assert kind["signalink:secrets"] == other["signalink:secrets"] == {"secure": "v1:x"}
    assert kind["signalink:images"] == '{"tag": "old"}' and "signalink:images" not in other
    assert "signalink:values" not in kind, "values that are not asked for any more are gone"


def test_files_come_in_order_and_settings_over_them() -> None:
    texts = ["api: {replicaCount: 1, a: x}", "api: {replicaCount: 2}", ""]
    found = stacked.values(texts, ["api.replicaCount=3", "b=no"])
    assert found == {"api": {"replicaCount": 3, "a": "x"}, "b": False}


@pytest.mark.parametrize("given", ["x", "=1", "a..b=1", "a[0]=1", "a={b,c}", "a=[1]", r"a\.b=1"])
def test_a_setting_that_is_no_plain_value_is_refused_with_a_way_out(given: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is not NAME\.NAME=VALUE") as refused:
        stacked.values([], [given])
    assert "--values FILE" in str(refused.value.next_step)


def test_a_file_without_a_table_is_named() -> None:
    with pytest.raises(ConfigurationError, match="File 2 of --values holds no table"):
        stacked.values(["a: 1", "- x"], [])
