"""The lines of one trace from all logs, rotated ones too, in the order of their times."""

import json
from pathlib import Path

import pytest

from signalink_core.errors import ConfigurationError
from signalink_stacks.local import tracelines

TRACE, OTHER = "0af7651916cd43dd8448eb211c80319c", "1" * 32


def line(at: str, event: str, **fields: object) -> str:
    return json.dumps({"ts": f"2026-01-02T03:04:{at}Z", "event": event, **fields}) + "\n"


def test_lines_of_all_processes_come_by_time_and_batches_count(tmp_path: Path) -> None:
    (tmp_path / "api-0.log").write_text(
        line("05.001", "request_done", trace_id=TRACE) + line("05.002", "request_done", trace_id=OTHER)
    )
    (tmp_path / "gateway-0.log").write_text(line("05.003", "event_taken", trace_id=TRACE) + "no JSON " + TRACE + "\n")
    (tmp_path / "relay-0.log").write_text(
        line("05.002", "events_published", trace_ids=[OTHER, TRACE])
        + line("05.004", "note", text=TRACE)
        + f'["{TRACE}"]\n'
    )
    (tmp_path / "api-0.log.1").write_text(line("04.000", "request_refused", trace_id=TRACE))
    found = tracelines.of_trace(tmp_path, TRACE)
    assert [(each.process, each.event) for each in found] == [
        ("api-0", "request_refused"),
        ("api-0", "request_done"),
        ("relay-0", "events_published"),
        ("gateway-0", "event_taken"),
    ]
    assert tracelines.of_trace(tmp_path, "2" * 32) == []


@pytest.mark.parametrize("given", [TRACE, TRACE.upper(), f" {TRACE}\n", f"00-{TRACE}-b7ad6b7169203331-01"])
def test_an_id_or_a_whole_header_is_taken(given: str) -> None:
    assert tracelines.trace_id(given) == TRACE


@pytest.mark.parametrize("given", ["", "7", "0" * 32, TRACE[:-1], f"{TRACE}-", "01a20b92-19de-7273-9995-49d61b45a202"])
def test_anything_else_is_refused_with_where_to_find_one(given: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        tracelines.trace_id(given)
    assert "trace_id" in str(caught.value.next_step)
