"""Builds and exposes the metrics that names.py declares; what exists is decided in schema.yaml alone."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, Info, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics import MetricWrapperBase

REGISTRY = CollectorRegistry()
ALL = "all"
Labels = Mapping[str, Sequence[str]]
M = TypeVar("M", bound=MetricWrapperBase)

_declared: list[tuple[MetricWrapperBase, frozenset[str]]] = []
_exposed: set[MetricWrapperBase] = set()


def counter(name: str, text: str, emitters: Sequence[str], labels: Labels | None = None) -> Counter:
    return _declare(Counter(name, text, tuple(labels or ()), registry=None), emitters, labels)


def gauge(name: str, text: str, emitters: Sequence[str], labels: Labels | None = None) -> Gauge:
    return _declare(Gauge(name, text, tuple(labels or ()), registry=None), emitters, labels)


def histogram(
    name: str, text: str, emitters: Sequence[str], labels: Labels | None = None, *, buckets: Sequence[float]
) -> Histogram:
    return _declare(Histogram(name, text, tuple(labels or ()), registry=None, buckets=buckets), emitters, labels)


def info(name: str, text: str, emitters: Sequence[str]) -> Info:
    return _declare(Info(name.removesuffix("_info"), text, registry=None), emitters, None)


def _declare(metric: M, emitters: Sequence[str], labels: Labels | None) -> M:
    """Series of closed label sets exist from the start, so that a rate over them is 0 and not absent."""
    if labels and all(labels.values()):
        for values in product(*labels.values()):
            metric.labels(*values)
    _declared.append((metric, frozenset(emitters)))
    return metric


def expose(service: str | None = None) -> None:
    """Put the metrics this service emits on its page; None puts all of them there. Repeating is harmless."""
    from signalink_core.telemetry import names  # noqa: F401 - its import declares

    if not _exposed:
        ProcessCollector(registry=REGISTRY)
        GCCollector(registry=REGISTRY)
    for metric, emitters in _declared:
        if metric not in _exposed and (service is None or emitters & {ALL, service}):
            _exposed.add(metric)
            REGISTRY.register(metric)


def page(accept: str) -> tuple[bytes, str]:
    """The scrape page and its content type: OpenMetrics with exemplars where the Accept header asks for it."""
    if not _exposed:
        expose()
    encode: Callable[[CollectorRegistry], bytes]
    encode, content_type = choose_encoder(accept)
    return encode(REGISTRY), content_type


def value(metric: MetricWrapperBase, **labels: str) -> float:
    """What a counter or gauge stands at (tests, status pages); for a histogram or info use the page."""
    child = metric.labels(**labels) if labels else metric
    return next(iter(child.collect())).samples[0].value
