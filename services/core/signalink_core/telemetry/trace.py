"""W3C trace context: makes ids, carries the current one in OpenTelemetry's context; exporting spans is not done here.

With an OpenTelemetry SDK its spans become current the same way, so logs, events and records follow either.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Token

from opentelemetry import context, trace

from signalink_core import entropy

HEADER = "traceparent"
_SAMPLED = trace.TraceFlags(trace.TraceFlags.SAMPLED)
_TRACEPARENT = re.compile(r"[ \t]*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?[ \t]*")


def current_traceparent() -> str | None:
    """`00-<32 hex>-<16 hex>-<2 hex>` of the current span, None outside any."""
    span = trace.get_current_span().get_span_context()
    return _format(span.trace_id, span.span_id, span.trace_flags) if span.is_valid else None


def new_traceparent(parent: str | None = None) -> str:
    """A new span id: in the trace of a valid `parent`, else in a new trace. Sampling is ours, never the parent's."""
    span = _new_span(parent)
    return _format(span.trace_id, span.span_id, span.trace_flags)


def begin(parent: str | None) -> Token[context.Context]:
    """As `use_traceparent(new_traceparent(parent))` for the hot path: give what it returns to `end` when it is over."""
    return context.attach(trace.set_span_in_context(trace.NonRecordingSpan(_new_span(parent))))


end = context.detach


def _new_span(parent: str | None) -> trace.SpanContext:
    above = parse(parent)
    random = int.from_bytes(entropy.take(8 if above else 24))
    trace_id = above.trace_id if above else (random >> 64) | 1
    span_id = (random & (1 << 64) - 1) | 1
    return trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=_SAMPLED)


@contextmanager
def use_traceparent(header: str | None) -> Iterator[str]:
    """Make `header` current inside the block; a new trace where it is missing or malformed. Yields what is current."""
    span = parse(header) or parse(new_traceparent())
    assert span is not None  # noqa: S101 - what we made ourselves parses
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(span)))
    try:
        yield _format(span.trace_id, span.span_id, span.trace_flags)
    finally:
        context.detach(token)


def parse(header: str | None) -> trace.SpanContext | None:
    """The ids in a traceparent header, None when it is missing or malformed (also: all-zero ids, version ff).

    As OpenTelemetry's propagator reads it (a test compares them), at a tenth of its cost.
    """
    found = None if header is None else _TRACEPARENT.fullmatch(header)
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5]):
        return None
    flags = trace.TraceFlags(int(found[4], 16))
    span = trace.SpanContext(int(found[2], 16), int(found[3], 16), is_remote=True, trace_flags=flags)
    return span if span.is_valid else None


def trace_id_of(header: str | None) -> str | None:
    """The 32 hex digits of the trace in a traceparent header that we wrote ourselves; None where there is none."""
    return header[3:35] if header is not None and len(header) == 55 else None


def current_ids() -> tuple[str, str] | None:
    """(trace_id, span_id) in hex, for log lines and exemplars."""
    span = trace.get_current_span().get_span_context()
    return (f"{span.trace_id:032x}", f"{span.span_id:016x}") if span.is_valid else None


def _format(trace_id: int, span_id: int, flags: int) -> str:
    return f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"
