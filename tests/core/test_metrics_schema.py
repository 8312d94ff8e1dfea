"""The metric schema: generated files equal the committed ones, naming rules hold, services use it as declared."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
    """In a process of its own: this one carries what the tests before it counted, of all services at once."""
    code = "from signalink_core.telemetry import metrics; metrics.expose(); print(metrics.page('')[0].decode())"
    page = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout
    series = [line for line in page.splitlines() if line and not line.startswith("#")]
    assert 100 <= len(series) <= 2_000


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


DECLARED = {metric.constant: metric for metric in SCHEMA.metrics}
SERVICES = Path(generate.HERE).parents[2]


class Use(NamedTuple):
    """One mention of a metric in the services; `labels` None where it is not about labels."""

    path: str
    name: str
    labels: dict[str | None, ast.expr] | None


def uses() -> Iterator[Use]:
    for file in sorted(SERVICES.rglob("*.py")):
        path = file.relative_to(SERVICES).as_posix()
        labelled: dict[ast.AST, dict[str | None, ast.expr]] = {}
        cleared: set[ast.AST] = set()  # every series at once, so no labels
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=metric, attr="labels"), keywords=keywords):
                    labelled[metric] = {keyword.arg: keyword.value for keyword in keywords}
                case ast.Call(func=ast.Attribute(value=metric, attr="clear")):
                    cleared.add(metric)
                case ast.Attribute(value=ast.Name(id="names"), attr=name) if name.isupper() and node not in cleared:
                    yield Use(path, name, labelled.get(node))


USES = list(uses())


def test_services_use_metrics_that_exist_with_their_labels_and_closed_values() -> None:
    assert len(USES) > 20
    wrong: list[str] = []
    for path, name, labels in USES:
        metric = DECLARED.get(name)
        if metric is None or set(labels or ()) != set(metric.labels):
            wrong.append(f"{path}: {name} {sorted(map(str, labels or ()))}")
            continue
        for label, value in (labels or {}).items():
            closed = metric.labels[str(label)]
            if closed and isinstance(value, ast.Constant) and value.value not in closed:
                wrong.append(f"{path}: {name} {label}={value.value!r}")
    assert not wrong


def test_a_service_uses_only_metrics_it_is_said_to_emit() -> None:
    wrong = [
        (path, name)
        for path, name, _ in USES
        if (service := path.split("/")[0]) != "core" and not {service, "all"} & set(DECLARED[name].emitters)
    ]
    assert not wrong
