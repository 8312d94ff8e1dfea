"""Lines about single messages: all of them while it is quiet, twenty a second when it is busy, all again at debug."""

import json
import logging as standard
from collections.abc import Iterator

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from signalink_core.guard import asgi
from signalink_core.guard.asgi import Guard, Policy
from signalink_core.guard.rules import Rules
from signalink_core.settings import LimitSettings
from signalink_core.telemetry import logging
from signalink_core.telemetry.trace import new_traceparent, trace_id_of
from signalink_core.telemetry.traced import PER_SECOND, Lines


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Not at debug; and what a test configures of logging does not stay."""
    monkeypatch.setattr(Lines, "everything", False)
    root = standard.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    standard.captureWarnings(False)
    structlog.reset_defaults()


def test_a_busy_second_gets_its_share_and_the_next_line_says_how_many_were_left_out() -> None:
    clock = Clock()
    lines = Lines(clock)
    assert [lines.due() for _ in range(PER_SECOND + 5)] == [True] * PER_SECOND + [False] * 5
    clock.now += 1.0
    assert lines.due()
    assert lines.left_out() == {"left_out": 5}
    assert lines.left_out() == {}


def test_at_debug_no_line_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lines, "everything", True)
    lines = Lines(Clock())
    assert all(lines.due() for _ in range(10 * PER_SECOND))
    assert lines.left_out() == {}


def test_the_level_of_the_process_decides() -> None:
    logging.configure("api", "api-0", "debug")
    assert Lines.everything
    logging.configure("api", "api-0", "info")
    assert not Lines.everything


def test_the_trace_id_of_a_header_is_its_thirty_two_digits() -> None:
    header = new_traceparent()
    assert trace_id_of(header) == header.split("-")[1]
    assert trace_id_of(None) is None
    assert trace_id_of("00-abc") is None


class Nobody:
    async def hit(self, *_: object, **__: object) -> None:
        """No limits."""


async def answer(scope: object, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


@pytest.fixture
def fresh_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second in which nothing was written yet."""
    monkeypatch.setattr(asgi, "done_lines", Lines())


async def test_a_request_that_is_done_says_route_status_and_time_in_its_trace(
    fresh_lines: None, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.configure("api", "api-0", "info")
    guard = Guard(answer, policy=Policy(Rules.of(LimitSettings())), limits=Nobody())
    header = new_traceparent()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://api.example") as client:
        await client.post("/v1/nothing?secret=1", headers={"traceparent": header})
    line = next(line for text in capsys.readouterr().out.splitlines() if (line := json.loads(text)))
    assert (line["event"], line["trace_id"], line["status"], line["method"]) == (
        "request_done",
        trace_id_of(header),
        204,
        "POST",
    )
    assert line["ms"] >= 0
    assert "secret" not in json.dumps(line)


async def test_a_flood_of_requests_writes_no_flood_of_lines(fresh_lines: None) -> None:
    guard = Guard(answer, policy=Policy(Rules.of(LimitSettings())), limits=Nobody())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://api.example") as client:
        with capture_logs() as lines:
            for _ in range(PER_SECOND * 3):
                await client.get("/")
    assert PER_SECOND <= len(lines) < PER_SECOND * 3
