import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from signalink_core.telemetry import generate, metrics, names

SCHEMA = generate.load()
WRONG = {
    "signalink_x": {"type": "counter"},
    "signalink_x_total": {"type": "gauge"},
    "other_x": {"type": "gauge"},
    "signalink_x_ms": {"type": "gauge", "unit": "seconds"},
    "signalink_y": {"type": "histogram"},
    "signalink_z": {"type": "gauge", "labels": {"user_id": []}},
    "signalink_w": {"type": "gauge", "colour": "red"},
}


def test_the_committed_names_are_what_the_schema_generates() -> None:
    assert generate.NAMES.read_text(encoding="utf-8") == generate.render_names(SCHEMA)


def test_the_committed_document_is_what_the_schema_generates() -> None:
    assert generate.DOCUMENT.read_text(encoding="utf-8") == generate.render_document(SCHEMA)


@pytest.mark.parametrize("name", WRONG)
def test_a_metric_against_the_rules_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        generate.Metric.model_validate({"name": name, "help": "x", "emitters": ["api"], **WRONG[name]})


def test_a_metric_declared_twice_or_with_unknown_buckets_is_refused() -> None:
    one = {"name": "signalink_x_total", "type": "counter", "help": "x", "emitters": ["api"]}
    with pytest.raises(ValidationError, match="declared twice"):
        generate.Schema.model_validate({"buckets": {}, "metrics": [one, one]})
    histogram = one | {"name": "signalink_x_seconds", "type": "histogram", "buckets": "huge"}
    with pytest.raises(ValidationError, match="unknown buckets"):
        generate.Schema.model_validate({"buckets": {}, "metrics": [histogram]})


def test_the_bounds_that_slos_use_are_bucket_bounds() -> None:
    assert {0.25, 1.0} <= set(SCHEMA.buckets["standard"]) & set(SCHEMA.buckets["fast"])


def test_each_metric_is_one_object_with_a_plain_interface() -> None:
    before = metrics.value(names.WS_GAPS_HEALED_TOTAL)
    names.WS_GAPS_HEALED_TOTAL.inc()
    assert metrics.value(names.WS_GAPS_HEALED_TOTAL) == before + 1


def test_series_of_closed_labels_exist_before_they_are_used() -> None:
    metrics.expose()
    page = metrics.page("")[0].decode()
    for code in ("4000", "4001", "1009"):
        assert f'signalink_ws_closed_total{{code="{code}"}}' in page


def test_bounds_are_written_as_prometheus_writes_them() -> None:
    metrics.expose()
    names.RELAY_PUBLISH_SECONDS.observe(0.3)
    assert 'signalink_relay_publish_seconds_bucket{le="1.0"}' in metrics.page("")[0].decode()


def test_a_process_has_few_series() -> None:
    metrics.expose()
    assert len([line for line in metrics.page("")[0].splitlines() if not line.startswith(b"#")]) <= 2_000


def test_a_service_shows_its_own_metrics_only() -> None:
    code = (
        "from signalink_core.telemetry import metrics\n"
        "metrics.expose('relay'); metrics.expose('relay')\n"
        "print(metrics.page('')[0].decode())"
    )
    page = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    shown = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")}
    declared = {metric.name for metric in SCHEMA.metrics if {"relay", "all"} & set(metric.emitters)}
    libraries = {name for name in shown if name.startswith(("process_", "python_gc_"))}
    created = {name for name in shown if name.endswith("_created")}
    assert shown - libraries - created == declared


def test_only_telemetry_imports_prometheus() -> None:
    services = Path(generate.HERE).parents[2]
    users = {
        path.parent.name for path in services.rglob("*.py") if "prometheus_client" in path.read_text(encoding="utf-8")
    }
    assert users == {"telemetry"}
