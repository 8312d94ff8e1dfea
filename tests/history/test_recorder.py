"""Recorder and reader agree on a file, and a process that dies leaves one that says so."""

from pathlib import Path

import pytest

from signalink_labs.history.lines import CREATED, DELETED, data_hash, event_fields, text_hash
from signalink_labs.history.reader import Completeness, FileSource, read
from signalink_labs.history.recorder import Recorder


def test_what_was_recorded_is_read_back_in_order_with_clocks_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "client.jsonl"
    with Recorder(path, "client-0") as recorder:
        recorder.record("invoke", "send", user="u", ch="c", key="k", hash=text_hash("Grüße\n"))
        recorder.record("ok", "send", user="u", ch="c", key="k", id="m", seq=1)
    state = Completeness("client")
    lines = [line for _, line in read(0, FileSource(path), state)]
    assert state.complete
    assert [line.f for line in lines] == ["send", "send", "end"]
    assert [line.i for line in lines] == [0, 1, 2]
    assert lines[0].mono_ns <= lines[1].mono_ns
    assert lines[0].wall.endswith("Z")


def test_a_recorder_that_fails_leaves_no_end_line(tmp_path: Path) -> None:
    path = tmp_path / "client.jsonl"
    with pytest.raises(RuntimeError), Recorder(path, "client-0") as recorder:
        recorder.record("invoke", "send", key="k")
        raise RuntimeError("the generator broke")
    state = Completeness("client")
    assert len(list(read(0, FileSource(path), state))) == 1
    assert not state.complete


def test_an_invoke_is_in_the_file_before_its_operation_begins(tmp_path: Path) -> None:
    path = tmp_path / "client.jsonl"
    recorder = Recorder(path, "client-0")
    recorder.record("invoke", "send", key="k")
    assert path.read_bytes().count(b"\n") == 1
    recorder.close()


def test_a_recorder_never_writes_over_an_older_history(tmp_path: Path) -> None:
    path = tmp_path / "client.jsonl"
    Recorder(path, "a").end()
    with pytest.raises(FileExistsError):
        Recorder(path, "a")


def test_ending_twice_writes_one_end_line(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.jsonl", "a")
    recorder.end()
    recorder.end()
    assert (tmp_path / "a.jsonl").read_bytes().count(b'"end"') == 1


def test_a_message_is_known_by_its_own_id_and_its_client_id() -> None:
    data = {"id": "m1", "client_id": "k1", "body": "text"}
    fields = event_fields("e1", f"dev.signalink.{CREATED}", data)
    assert fields == {"kind": CREATED, "id": "m1", "key": "k1", "hash": text_hash("text")}


def test_a_deletion_is_known_by_its_event_and_points_at_its_message() -> None:
    fields = event_fields("e2", f"dev.signalink.{DELETED}", {"id": "m1", "message_seq": 1})
    assert (fields["id"], fields["key"]) == ("e2", "m1")


def test_the_hash_of_data_ignores_the_order_of_keys_and_takes_a_blanked_body_as_empty() -> None:
    assert data_hash({"a": 1, "b": {"d": 2, "c": 3}}) == data_hash({"b": {"c": 3, "d": 2}, "a": 1})
    assert data_hash({"body": None}) == data_hash({"body": ""}) == text_hash("")
