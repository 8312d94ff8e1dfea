"""JSON lines on standard output for our own loggers and every library's; one line per event, whatever is in it.

Fields: ts, level, event, service, version, node, logger, trace_id, span_id, request_id, then the event's own.
`event` is a literal in snake_case; values go into fields. Redaction is telemetry/redaction.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

import orjson
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from signalink_core.clock import isoformat, utc_now
from signalink_core.telemetry.redaction import redact
from signalink_core.telemetry.trace import current_ids
from signalink_core.telemetry.traced import Lines

Line = MutableMapping[str, Any]
_FIRST = ("ts", "level", "event")
# JSON escapes CR and LF but not these, at which str.splitlines (and terminals) break a line as well.
_LINE_BREAKS = {code: f"\\u{code:04x}" for code in (0x7F, 0x85, 0x2028, 0x2029)}
_QUIET = ("asyncio", "aiokafka", "uvicorn.access", "uvicorn.error", "httpx", "httpcore")


def get_logger(name: str) -> FilteringBoundLogger:
    """`log.info("post_committed", channel=..., seq=...)`; configured or not, it may be made on import."""
    return cast(FilteringBoundLogger, structlog.get_logger(name))


def configure(service: str, node: str, level: str = "info") -> None:
    """Send structlog and standard logging to standard output as JSON lines. Repeating replaces."""
    number = logging.getLevelNamesMapping()[level.upper()]
    Lines.everything = number <= logging.DEBUG
    identity = {"service": service, "version": product_version(), "node": node}
    chain: list[Processor] = [
        _logger_name,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp(identity),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*chain, _render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Output,
        cache_logger_on_first_use=False,
    )
    handler = _StandardOutput()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *chain],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    logging.captureWarnings(True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Every line inside the block carries these fields (request_id and the like), tasks it starts too."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def product_version() -> str:
    try:
        return version("signalink")
    except PackageNotFoundError:
        return "0"


def _stamp(identity: dict[str, str]) -> Callable[[Any, str, Line], Line]:
    def stamp(_logger: Any, _method: str, line: Line) -> Line:
        line["ts"] = isoformat(utc_now())
        line.update(identity)
        if ids := current_ids():
            line["trace_id"], line["span_id"] = ids
        return line

    return stamp


def _logger_name(logger: Any, _method: str, line: Line) -> Line:
    line["logger"] = line["_record"].name if "_record" in line else logger.name
    return line


def _render(_logger: Any, _method: str, line: Line) -> str:
    ordered = {key: line[key] for key in _FIRST if key in line} | {k: v for k, v in line.items() if k not in _FIRST}
    try:
        text = orjson.dumps(ordered, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # integers beyond 64 bits, lone surrogates
        text = json.dumps(ordered, default=str)
    return text.translate(_LINE_BREAKS)


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class _Output:
    """structlog's logger: every method writes the rendered line to the standard output of that moment."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.msg = self.debug = self.info = self.warning = self.error = self.critical = _write
        self.exception = self.log = self.warn = self.fatal = self.failure = self.err = _write


class _StandardOutput(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            _write(self.format(record))
        except Exception:  # a log line must never break the code that wrote it
            self.handleError(record)
