"""Values that Kubernetes takes are taken, and what it would refuse is refused before, by the value to use instead."""

import re

import pytest
from charting import (
    ALL,
    CHARTS,
    ENGINES,
    OBSERVERS,
    ROOT,
    SERVICES,
    Refused,
    Rendered,
    Values,
    containers,
    pods,
    render,
)

CLAIMED = ("postgres", "kafka", "prometheus", "alertmanager", "grafana", "jaeger")


def claim(rendered: Rendered) -> dict[str, object]:
    (found,) = rendered.one("StatefulSet")["spec"]["volumeClaimTemplates"]
    return dict(found["spec"])


@pytest.mark.parametrize("chart", CLAIMED)
def test_a_claim_takes_a_class_the_default_one_or_none(chart: str) -> None:
    assert "storageClassName" not in claim(render(chart))
    assert claim(render(chart, {"persistence": {"storageClass": "fast"}}))["storageClassName"] == "fast"
    assert claim(render(chart, {"persistence": {"storageClass": "-"}}))["storageClassName"] == ""


def test_pods_that_may_be_away_are_a_number_or_a_share() -> None:
    for given in (1, 3, "50%", "100%"):
        budget = render("api", {"podDisruptionBudget": {"maxUnavailable": given}}).one("PodDisruptionBudget")
        assert budget["spec"]["maxUnavailable"] == given
    for wrong in ("0%", "150%", "half", 0):
        with pytest.raises(Refused, match="at '/podDisruptionBudget/maxUnavailable'"):
            render("api", {"podDisruptionBudget": {"maxUnavailable": wrong}})


@pytest.mark.parametrize("chart", [*SERVICES, *ENGINES, *OBSERVERS])
def test_a_container_may_ask_for_extended_resources_and_huge_pages(chart: str) -> None:
    asked = {"nvidia.com/gpu": 1, "hugepages-2Mi": "64Mi"}
    found = [one["resources"] for _, one in containers(render(chart, {"resources": {"limits": asked}}).objects)]
    assert any(asked.items() <= one["limits"].items() for one in found)
    for wrong in ({"gpu": 1}, {"nvidia.com/gpu": 0}, {"nvidia.com/gpu": 0.5}):
        with pytest.raises(Refused, match="at '/resources/limits"):
            render(chart, {"resources": {"limits": wrong}})


@pytest.mark.parametrize("percent", [0, 0.5, 12.25, 100])
def test_a_sample_of_traces_may_be_less_than_one_in_a_hundred(percent: float) -> None:
    text = render("otel-collector", {"sampling": {"percent": percent}}).one("ConfigMap")["data"]["collector.yaml"]
    assert f"{{sampling_percentage: {percent}}}" in text


TAKEN: list[tuple[str, Values, str]] = [
    ("api", {"settings": {"LOG_LEVEL": "debug"}}, "settings.LOG_LEVEL: SIGNALINK_LOG_LEVEL is set already"),
    ("api", {"settings": {"LOG_LEVEL": "debug"}}, "use the value logLevel instead"),
    ("api", {"settings": {"POSTGRES_DSN": "x"}}, "use the value global.bindings.postgres instead"),
    ("relay", {"settings": {"KAFKA_BOOTSTRAP": "x"}}, "use the value global.bindings.kafka instead"),
    ("gateway", {"settings": {"API_URL": "x"}}, "use the value global.publicUrls or global.serviceUrls instead"),
    ("api", {"settings": {"HOST": "::"}}, "settings.HOST: SIGNALINK_HOST is set already"),
    ("api", {"extraEnv": [{"name": "SIGNALINK_WS_ORIGINS", "value": "x"}]}, "use the value global.origins instead"),
    ("api", {"extraEnv": [{"name": "A"}, {"name": "A"}]}, "extraEnv: A is set already"),
    ("api", {"settings": {"X": 1}, "extraEnv": [{"name": "SIGNALINK_X"}]}, "extraEnv: SIGNALINK_X is set already"),
    ("postgres", {"extraEnv": [{"name": "PGDATA", "value": "/x"}]}, "extraEnv: PGDATA is set already"),
    ("kafka", {"extraEnv": [{"name": "KAFKA_HEAP_OPTS", "value": "x"}]}, "use the value heap instead"),
    ("postgres", {"extraEnv": [{"name": "POSTGRES_INITDB_ARGS", "value": "x"}]}, "has each name once; take it out"),
    ("postgres", {"extraEnv": [{"name": "POSTGRES_PASSWORD_FILE"}]}, "use the value auth.existingSecret instead"),
    ("grafana", {"extraEnv": [{"name": "A"}, {"name": "A"}]}, "extraEnv: A is set already"),
    ("grafana", {"extraEnv": [{"name": "LOG_LEVEL"}] * 2}, "has each name once; take it out"),
]


@pytest.mark.parametrize(("chart", "values", "message"), TAKEN)
def test_a_name_that_the_chart_sets_is_refused_by_the_value_to_use(chart: str, values: Values, message: str) -> None:
    with pytest.raises(Refused, match=re.escape(message)):
        render(chart, values)


@pytest.mark.parametrize("chart", [*ENGINES, *OBSERVERS])
def test_pull_secrets_of_every_image_reach_the_pods(chart: str) -> None:
    part = "bootstrap" if chart in ENGINES else "promises"
    values: Values = {part: {"image": {"pullSecrets": ["ours"]}}, "image": {"pullSecrets": ["theirs"]}}
    for who, _, spec in pods(render(chart, values).objects):
        assert {"name": "ours"} in spec["imagePullSecrets"], who
        assert {"name": "theirs"} in spec["imagePullSecrets"], who


def test_whoever_renews_the_definitions_is_told_to_take_them_over() -> None:
    """An apply on the server that meets another manager of a changed field stops without the flag."""
    said = [render(chart).notes for chart in ALL if chart in {"operator", "signalink"}]
    said += [(ROOT / name).read_text(encoding="utf-8") for name in ("operator/README.md", "charts/README.md")]
    said.append((ROOT / "operator/signalink_operator/app.py").read_text(encoding="utf-8"))
    commands = [line for text in said for line in text.splitlines() if "apply" in line and "crds" in line]
    assert len(commands) >= 4
    assert [line for line in commands if "--server-side --force-conflicts -f" not in line] == []
    assert (CHARTS / "operator/crds").is_dir()
