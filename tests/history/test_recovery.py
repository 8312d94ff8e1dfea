"""V8 and V10 on histories small enough to read: how long a fault is felt, and what a failed post says."""

from typing import Any

import pytest

from signalink_labs.history.checker import Report, check
from signalink_labs.history.evidence import Demands
from signalink_labs.history.lines import Line, encode, text_hash
from signalink_labs.history.reader import MemorySource

BOUNDS = (3.0, 15.0)


class Story:
    """One file whose lines say when they were written, in seconds."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.add(0, "ok", "member", user="bob", ch="c", seq=1)
        self.add(0, "ok", "resume", user="bob", view="v", ch="c", seq=0)

    def add(self, at: float, type_: Any, f: Any, **fields: Any) -> None:
        self.lines.append(Line(i=0, mono_ns=int(at * 1e9), proc="p", type=type_, f=f, **fields))

    def invoke(self, at: float, seq: int) -> None:
        self.add(at, "invoke", "send", **self._post(seq))

    def ack(self, at: float, seq: int, *, seen: float | None = None) -> None:
        """Acknowledged at that time, and shown by the view then, or later."""
        self.add(at, "ok", "send", **self._post(seq), id=f"m{seq}", seq=seq)
        row = {"ch": "c", "seq": seq, "id": f"m{seq}", "key": f"k{seq}", "hash": text_hash(str(seq))}
        self.add(seen or at, "ok", "recv", user="bob", view="v", node="g", kind="message.created", **row)

    def failed(self, at: float, seq: int, code: str, **fields: Any) -> None:
        self.add(at, "info", "send", **self._post(seq), code=code, **fields)

    def _post(self, seq: int) -> dict[str, Any]:
        return {"user": "ann", "ch": "c", "key": f"k{seq}", "hash": text_hash(str(seq))}

    def fault(self, at: float, node: str, code: str = "kill", *, heal: float | None, back: float | None = None) -> None:
        self.add(at, "note", "nemesis", node=node, code=code, n=1)
        if heal is not None:
            self.add(heal, "ok", "nemesis", node=node, code="heal")
            self.add(back or heal, "ok", "nemesis", node=node, code="back")

    def waits(self, at: float, seconds: float | None) -> None:
        waited = None if seconds is None else int(seconds * 1000)
        self.add(at, "info" if seconds is None else "ok", "probe", code="pending", n=waited)

    def judge(self, **demands: Any) -> Report:
        self.add(1000, "ok", "drain")
        self.add(1000, "ok", "dump", view="postgres", n=0)
        self.add(1000, "note", "end")
        self.lines.sort(key=lambda line: line.mono_ns)
        for number, line in enumerate(self.lines):
            line.i = number
        raw = [encode(line) for line in self.lines]
        return check([MemorySource("story", raw)], Demands(acknowledged=0, **demands))

    def times(self) -> tuple[float | None, float | None]:
        (recovery,) = self.judge().recoveries
        return recovery.b1, recovery.b2


def test_b1_ends_with_the_answer_to_a_post_that_was_sent_after_the_heal() -> None:
    story = Story()
    story.invoke(9.9, 1)
    story.fault(10, "api-0", heal=10, back=12)
    story.ack(10.1, 1)
    story.invoke(12, 2)
    story.ack(12.5, 2)
    assert story.times() == (2.5, 0)


def test_b1_is_unknown_when_nothing_was_acknowledged_any_more() -> None:
    story = Story()
    story.invoke(9.9, 1)
    story.fault(10, "api-0", heal=10)
    story.ack(10.1, 1)
    assert story.times() == (None, 0)


def test_b2_ends_when_a_view_has_shown_the_last_event_that_it_was_late_with() -> None:
    story = Story()
    story.invoke(9.9, 1)
    story.fault(10, "gateway-0", heal=10, back=11)
    story.ack(10.1, 1, seen=13)
    story.invoke(10.2, 2)
    story.ack(10.3, 2, seen=14)
    story.invoke(20, 3)
    story.ack(20.1, 3, seen=20.9)  # within the second that is no delay
    assert story.times() == (pytest.approx(0.3), 4)


def test_b2_counts_what_waited_during_the_pause_from_the_heal_on() -> None:
    story = Story()
    story.invoke(9.9, 1)
    story.fault(10, "gateway-0", "pause", heal=20)
    story.ack(10.1, 1, seen=21)
    story.invoke(20.1, 2)
    story.ack(20.2, 2)
    assert story.times() == (pytest.approx(0.2), 1)


def test_b2_ends_when_nothing_waits_for_the_relay_and_that_could_be_measured() -> None:
    story = Story()
    story.invoke(9.9, 1)
    story.fault(10, "relay-0", heal=10, back=11)
    story.ack(10.1, 1)
    for at, waits in ((10, 0.0), (12, 2.0), (14, 4.0), (15, None), (16, 0.1), (18, 0.1)):
        story.waits(at, waits)
    story.invoke(18, 2)
    story.ack(18.1, 2)
    assert story.times() == (pytest.approx(8.1), 6)


def test_b2_never_ends_when_the_relay_never_caught_up() -> None:
    story = Story()
    story.invoke(9.9, 1)
    story.fault(10, "relay-0", heal=10)
    story.ack(10.1, 1)
    story.waits(12, 2.0)
    assert story.times()[1] is None


def test_a_fault_answers_for_what_begins_before_the_next_one_only() -> None:
    story = Story()
    for at, node in ((10, "gateway-0"), (30, "valkey")):
        story.invoke(at - 0.1, at)
        story.fault(at, node, heal=at)
        story.ack(at + 0.1, at)
    story.invoke(31, 2)
    story.ack(31.1, 2, seen=35)
    report = story.judge()
    assert [recovery.b2 for recovery in report.recoveries] == [0, 5]


@pytest.mark.parametrize(
    ("acked", "seen", "slow"), [(12.0, 12.0, 0), (13.5, 13.5, 1), (12.0, 26.0, 1), (14.0, 26.0, 2)]
)
def test_each_bound_that_is_missed_is_a_finding(acked: float, seen: float, slow: int) -> None:
    story = Story()
    story.invoke(9.9, 1)
    story.fault(10, "api-0", heal=10)
    story.ack(10, 1)
    story.invoke(10.1, 2)
    story.ack(acked, 2, seen=seen)
    found = [finding for finding in story.judge(bounds=lambda code, node: BOUNDS).findings if finding.verdict == "slow"]
    assert len(found) == slow
    assert all("bound" in finding.says and finding.invariant == "V8" for finding in found)


def dishonest(story: Story) -> list[str]:
    report = story.judge(client_seconds=12.0)
    return [finding.says for finding in report.findings if finding.verdict == "dishonest"]


def test_a_failure_with_code_and_retry_after_in_time_is_honest() -> None:
    story = Story()
    story.invoke(10, 1)
    story.failed(15, 1, "unavailable", status=503, wait=1.0)
    assert dishonest(story) == []
    assert story.judge().troubles == {"503 unavailable": 1}


@pytest.mark.parametrize(
    ("seconds", "code", "fields", "says"),
    [
        (13.5, "unavailable", {"status": 503, "wait": 1.0}, "after 13.5 s"),
        (1, "unavailable", {"status": 503}, "503 unavailable came without Retry-After"),
        (1, "rate_limited", {"status": 429}, "429 rate_limited came without Retry-After"),
        (1, "unreadable", {"status": 502, "wait": 1.0}, "without a code"),
        (10, "ReadTimeout", {}, "no answer (ReadTimeout) in 10.0 s while the serving process was untouched"),
    ],
)
def test_every_dishonest_answer_is_named(seconds: float, code: str, fields: dict[str, Any], says: str) -> None:
    story = Story()
    story.invoke(10, 1)
    story.failed(10 + seconds, 1, code, **fields)
    (found,) = dishonest(story)
    assert says in found


def test_an_acknowledgement_beyond_the_client_s_time_out_is_named() -> None:
    story = Story()
    story.invoke(10, 1)
    story.ack(24, 1)
    assert dishonest(story) == ["acknowledged after 14.0 s"]


@pytest.mark.parametrize(("node", "silent"), [("api-0", 0), ("postgres", 1)])
def test_only_a_fault_of_the_serving_process_excuses_silence(node: str, silent: int) -> None:
    story = Story()
    story.invoke(9, 1)
    story.fault(10, node, "pause", heal=20)
    story.failed(19, 1, "ReadTimeout")
    assert len(dishonest(story)) == silent


def test_silence_after_the_process_was_ready_again_is_not_excused() -> None:
    story = Story()
    story.invoke(9, 1)
    story.fault(10, "api-0", heal=10, back=12)
    story.ack(12.5, 1)
    story.invoke(13, 2)
    story.failed(23, 2, "ReadTimeout")
    assert len(dishonest(story)) == 1


def test_failures_of_one_kind_are_one_finding_with_a_line_each() -> None:
    story = Story()
    for seq in range(1, 4):
        story.invoke(seq, seq)
        story.failed(seq + 0.5, seq, "unavailable", status=503)
    report = story.judge(client_seconds=12.0)
    (found,) = [finding for finding in report.findings if finding.verdict == "dishonest"]
    assert len(found.lines) == 3
