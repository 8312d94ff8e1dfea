"""W3C trace context: ids, nesting, tasks, and headers from outside that must break nothing."""

import asyncio
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from signalink_core.telemetry.trace import current_ids, current_traceparent, new_traceparent, parse, use_traceparent

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def test_a_new_traceparent_is_valid_sampled_and_new() -> None:
    made = {new_traceparent() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", one) for one in made)


def test_a_child_keeps_the_trace_takes_a_new_span_and_our_sampling() -> None:
    version, trace_id, span_id, flags = new_traceparent(PARENT).split("-")
    assert (version, trace_id, flags) == ("00", PARENT.split("-")[1], "01")
    assert span_id != PARENT.split("-")[2]


def test_the_current_traceparent_ends_with_its_block() -> None:
    assert current_traceparent() is None
    with use_traceparent(PARENT) as outer:
        assert current_traceparent() == outer == PARENT
        with use_traceparent(None):
            assert current_traceparent() != PARENT
        assert current_ids() == (PARENT.split("-")[1], PARENT.split("-")[2])
    assert current_traceparent() is None


async def test_tasks_started_inside_keep_it_and_others_do_not_see_it() -> None:
    async def seen() -> str | None:
        return current_traceparent()

    with use_traceparent(PARENT):
        inside = asyncio.create_task(seen())
    outside = asyncio.create_task(seen())
    assert (await inside, await outside) == (PARENT, None)


def test_it_is_opentelemetrys_context() -> None:
    with use_traceparent(PARENT):
        assert f"{trace.get_current_span().get_span_context().trace_id:032x}" == PARENT.split("-")[1]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        PARENT.upper(),
        PARENT + "\r\nx: y",
    ],
)
def test_a_malformed_header_starts_a_new_trace(header: str | None) -> None:
    assert parse(header) is None
    with use_traceparent(header) as current:
        assert parse(current) is not None


@given(st.text(max_size=80) | st.from_regex(r"[ \t]*[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-x)?[ \t]*"))
@example(PARENT)
@example("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later")
def test_a_header_is_read_as_opentelemetry_reads_it(header: str) -> None:
    theirs = trace.get_current_span(TraceContextTextMapPropagator().extract({"traceparent": header}, Context()))
    context = theirs.get_span_context()
    assert parse(header) == (context if context.is_valid else None)


@given(st.text(max_size=80))
def test_no_header_breaks_it(header: str) -> None:
    with use_traceparent(header) as current:
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", current)
