"""Owns finding the log lines of one trace in all logs of a platform, rotated ones too, in the order of their times.

A line belongs to a trace when its `trace_id` is the trace's, or its list `trace_ids` (a batch) names it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from signalink_core.errors import ConfigurationError
from signalink_core.telemetry import trace

TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
MOST_LINES: Final = 10_000


@dataclass(frozen=True, slots=True)
class TraceLine:
    """`process` is the log's name; `fields` the whole JSON line."""

    process: str
    at: str
    event: str
    fields: dict[str, Any]


def trace_id(given: str) -> str:
    """The trace id in 32 hex digits or in a whole traceparent; ConfigurationError when it is neither."""
    text = given.strip().lower()
    if trace.parse(text) is not None:
        return text[3:35]
    if TRACE_ID.fullmatch(text) and text.strip("0"):
        return text
    raise ConfigurationError(
        f"{given!r} is no trace id: 32 hexadecimal digits, or a traceparent header.",
        next_step="take `trace_id` from a log line, or `signalink trace MESSAGE_ID`",
    )


def of_trace(folder: Path, wanted: str) -> list[TraceLine]:
    """At most 10,000 lines, by time; lines of one millisecond by process."""
    found: list[TraceLine] = []
    for path in sorted(folder.glob("*.log*")):
        for line in _lines(path, wanted):
            found.append(line)
            if len(found) >= MOST_LINES:
                break
    return sorted(found, key=lambda line: (line.at, line.process))


def _lines(path: Path, wanted: str) -> Iterator[TraceLine]:
    """Parsing is dear, looking for the digits is not: only lines that have them are parsed."""
    needle = wanted.encode()
    try:
        with path.open("rb") as file:
            for raw in file:
                if needle in raw and (fields := _parsed(raw, wanted)) is not None:
                    name = path.name.partition(".log")[0]
                    yield TraceLine(name, str(fields.get("ts", "")), str(fields.get("event", "")), fields)
    except FileNotFoundError:  # rotated away meanwhile
        return


def _parsed(raw: bytes, wanted: str) -> dict[str, Any] | None:
    try:
        fields = json.loads(raw)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    listed = fields.get("trace_ids")
    belongs = fields.get("trace_id") == wanted or (isinstance(listed, list) and wanted in listed)
    return fields if belongs else None
