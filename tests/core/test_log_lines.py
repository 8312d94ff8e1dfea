"""Log lines: one JSON object per line for our loggers and the libraries', with trace ids, without secrets."""

import json
import logging as standard
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.telemetry import logging
from signalink_core.telemetry.redaction import MASK, redact, redacted
from signalink_core.telemetry.trace import new_traceparent, use_traceparent

Lines = Callable[[], list[dict[str, Any]]]
log = logging.get_logger("test.module")


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    root = standard.getLogger()
    handlers, level = root.handlers, root.level
    logging.configure("api", "api-0", "info")
    yield lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    root.handlers, root.level = handlers, level
    standard.captureWarnings(False)
    structlog.reset_defaults()


def test_a_line_is_json_with_the_agreed_fields_first(lines: Lines) -> None:
    log.info("post_committed", seq=5)
    (line,) = lines()
    assert list(line)[:3] == ["ts", "level", "event"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"])
    assert line["event"] == "post_committed"
    assert (line["service"], line["node"], line["logger"], line["seq"]) == ("api", "api-0", "test.module", 5)


def test_libraries_write_the_same_lines(lines: Lines) -> None:
    standard.getLogger("uvicorn.error").warning("Invalid %s from %s", "request", "127.0.0.1")
    standard.getLogger("anything").info("plain", extra={"detail": 7})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", UserWarning, stacklevel=1)
    first, second, third = lines()
    assert (first["event"], first["level"], first["service"]) == ("Invalid request from 127.0.0.1", "warning", "api")
    assert (second["event"], second["detail"], second["logger"]) == ("plain", 7, "anything")
    assert "old" in third["event"]


def test_the_level_holds_for_both(lines: Lines) -> None:
    log.debug("quiet")
    standard.getLogger("anything").debug("quiet")
    standard.getLogger("uvicorn.access").info("quiet")
    assert lines() == []


def test_lines_carry_the_current_trace_and_the_bound_request(lines: Lines) -> None:
    parent = new_traceparent()
    with use_traceparent(parent), logging.bound(request_id="req-1"):
        log.info("inside")
        standard.getLogger("library").info("inside")
    log.info("outside")
    ours, theirs, outside = lines()
    _, trace_id, span_id, _ = parent.split("-")
    for line in (ours, theirs):
        assert (line["trace_id"], line["span_id"], line["request_id"]) == (trace_id, span_id, "req-1")
    assert not {"trace_id", "span_id", "request_id"} & set(outside)


def test_an_exception_is_one_line(lines: Lines) -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        log.exception("failed")
        standard.getLogger("library").exception("failed")
    ours, theirs = lines()
    for line in (ours, theirs):
        assert "ValueError: first\nsecond" in line["exception"]
        assert line["level"] == "error"


@given(st.text(), st.text(alphabet="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029ab"))
def test_no_text_breaks_a_line(text: str, breaks: str) -> None:
    rendered = logging._render(None, "info", {"event": breaks, "value": text, text: breaks})
    assert len((rendered + "\n").splitlines()) == 1
    assert json.loads(rendered)["value"] == text.encode("utf-8", "replace").decode()


def test_a_forged_line_inside_a_value_stays_inside(lines: Lines) -> None:
    log.info("login_refused", name='x"}\r\n{"event":"login_accepted"}')
    (line,) = lines()
    assert line["event"] == "login_refused"


def test_a_line_that_cannot_be_encoded_is_still_written(lines: Lines) -> None:
    log.info("odd", thing=object(), data=b"\xff", number=2**80, text="\ud800")
    (line,) = lines()
    assert line["event"] == "odd"


SECRETS = [
    "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "Bearer abc.def-ghi",
    "ada@example.org",
    "postgresql://signalink_api:hunter2@127.0.0.1/signalink",
    "GET /v1/socket?ticket=hunter2hunter2 HTTP/1.1",
    "sec-websocket-protocol: signalink.v1, ticket.hunter2hunter2",
    "failed: password=hunter2&x=1",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_inside_any_text_are_masked(secret: str, lines: Lines) -> None:
    log.info("event", note=secret, nested={"list": [secret]})
    standard.getLogger("library").info("it said %s", secret)
    log.info(f"event with {secret}")
    text = json.dumps(lines())
    assert text.count(MASK) == 4
    for part in ("hunter2", "ada@", "c2lnbmF0dXJl", "def-ghi"):
        assert part not in text


@pytest.mark.parametrize(
    "key",
    ["password", "refresh_token", "Authorization", "cookie", "set_cookie", "email", "body", "ws_ticket", "secrets"],
)
def test_values_of_secret_keys_are_masked_whatever_they_hold(key: str, lines: Lines) -> None:
    log.info("event", **{key: "harmless"}, nested={key: ["harmless"]})
    (line,) = lines()
    assert (line[key], line["nested"]) == (MASK, {key: MASK})


def test_what_is_not_secret_stays_readable(lines: Lines) -> None:
    log.info("event", url="http://127.0.0.1:8000/v1/channels?limit=5", tokens_used=3, body_bytes=12, user_id="a-b")
    (line,) = lines()
    assert MASK not in json.dumps(line)


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_redaction_takes_any_value_and_is_stable(value: Any) -> None:
    once = redacted(value)
    assert redacted(once) == once


def test_redaction_does_not_follow_a_value_without_end() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert MASK in json.dumps(redact(None, "info", {"event": "x", "value": endless}))
