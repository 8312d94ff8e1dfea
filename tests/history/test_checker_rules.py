"""What single rules of the checker mean, on histories small enough to read."""

from typing import Any

from signalink_labs.history.checker import Report, check
from signalink_labs.history.evidence import Demands
from signalink_labs.history.lines import BLANK, Line, encode, text_hash
from signalink_labs.history.reader import MemorySource


class Story:
    """One file, written line by line; `judge` adds drain and end."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def add(self, type_: Any, f: Any, **fields: Any) -> None:
        number = len(self.lines)
        self.lines.append(Line(i=number, mono_ns=number, proc="p", type=type_, f=f, **fields))

    def send(self, seq: int, *, answer: str = "ok") -> None:
        fields = {"user": "ann", "ch": "c", "key": f"k{seq}", "hash": text_hash(str(seq))}
        self.add("invoke", "send", **fields)
        self.add(
            answer, "send", **fields, id=f"m{seq}" if answer == "ok" else None, seq=seq if answer == "ok" else None
        )

    def row(self, seq: int, **fields: Any) -> dict[str, Any]:
        known = {"ch": "c", "seq": seq, "id": f"m{seq}", "key": f"k{seq}", "hash": text_hash(str(seq))}
        return known | {"kind": "message.created"} | fields

    def recv(self, seq: int, **fields: Any) -> None:
        self.add("ok", "recv", user="bob", view="v", node="gateway-0", **self.row(seq, **fields))

    def log(self, *rows: dict[str, Any], store: str = "postgres") -> None:
        for row in rows:
            self.add("note", "dump", view=store, user="ann", **row)
        self.add("ok", "dump", view=store, n=len(rows))

    def begin(self, after: int = 0, *, entitled: tuple[int, int | None] = (1, None)) -> None:
        self.add("ok", "member", user="bob", ch="c", seq=entitled[0], to=entitled[1])
        self.add("ok", "resume", user="bob", view="v", ch="c", seq=after)

    def judge(self) -> Report:
        self.add("ok", "drain")
        self.add("note", "end", n=len(self.lines))
        return check([MemorySource("story", [encode(line) for line in self.lines])], Demands(acknowledged=0))


def told(*, sent: int = 4) -> Story:
    story = Story()
    story.begin()
    for seq in range(1, sent + 1):
        story.send(seq)
    return story


def test_a_hole_that_is_filled_before_the_next_delivery_is_no_finding() -> None:
    story = told()
    story.recv(1)
    story.add("ok", "resume", user="bob", view="v", ch="c", seq=1)
    for seq in (2, 3, 4):
        story.recv(seq)
    story.log(*(story.row(seq) for seq in (1, 2, 3, 4)))
    assert story.judge().exit_code == 0


def test_a_hole_that_is_filled_too_late_is_a_matter_of_order() -> None:
    story = told()
    for seq in (1, 3, 2, 4):
        story.recv(seq)
    story.log(*(story.row(seq) for seq in (1, 2, 3, 4)))
    assert story.judge().verdicts == {"reordered"}


def test_a_view_owes_nothing_from_before_its_start_but_all_after_it() -> None:
    story = Story()
    story.begin(after=2)
    for seq in range(1, 5):
        story.send(seq)
    story.recv(4)
    story.log(*(story.row(seq) for seq in (1, 2, 3, 4)))
    report = story.judge()
    assert [(finding.verdict, finding.seq) for finding in report.findings] == [("skipped", 3)]


def test_a_view_owes_nothing_outside_its_entitlement_and_may_not_show_it() -> None:
    story = Story()
    story.begin(entitled=(1, 2))
    for seq in range(1, 5):
        story.send(seq)
    story.recv(1)
    story.recv(2)
    story.log(*(story.row(seq) for seq in (1, 2, 3, 4)))
    assert story.judge().exit_code == 0
    story.lines = story.lines[:-2]
    story.recv(3)
    assert story.judge().verdicts == {"phantom"}


def test_a_body_blanked_by_its_deletion_is_equal_and_another_body_is_not() -> None:
    for shown, verdicts in ((BLANK, set()), (text_hash("forged"), {"inconsistent"})):
        story = told(sent=1)
        story.recv(1, hash=shown)
        deletion = story.row(2, id="e2", key="m1", kind="message.deleted", hash=text_hash("deletion"))
        story.add("ok", "recv", user="bob", view="v", **deletion)
        story.log(story.row(1), deletion)
        assert story.judge().verdicts == verdicts


def test_a_blanked_body_without_a_deletion_is_inconsistent() -> None:
    story = told(sent=1)
    story.recv(1, hash=BLANK)
    story.log(story.row(1))
    assert story.judge().verdicts == {"inconsistent"}


def test_an_unknown_post_may_be_shown_or_not() -> None:
    for landed in (True, False):
        story = told(sent=1)
        story.send(2, answer="info")
        seqs = (1, 2) if landed else (1,)
        for seq in seqs:
            story.recv(seq)
        story.log(*(story.row(seq) for seq in seqs))
        assert story.judge().exit_code == 0


def test_a_post_refused_once_and_accepted_on_a_retry_is_no_phantom() -> None:
    story = Story()
    story.begin()
    story.send(1, answer="fail")
    story.send(1)
    story.recv(1)
    story.log(story.row(1))
    assert story.judge().exit_code == 0


def test_an_acknowledged_post_that_no_store_and_no_view_has_is_lost_between_api_and_log() -> None:
    story = told(sent=2)
    story.recv(1)
    story.log(story.row(1))
    report = story.judge()
    assert report.verdicts == {"lost"}
    assert "between api and log" in report.findings[0].hop


def test_the_hop_names_the_relay_for_what_only_kafka_lacks() -> None:
    story = told(sent=3)
    for seq in (1, 2, 3):
        story.recv(seq)
    rows = [story.row(seq) for seq in (1, 2, 3)]
    story.log(*rows)
    story.log(rows[0], rows[2], store="kafka")
    report = story.judge()
    assert report.verdicts == {"skipped"}
    assert "relay" in report.findings[0].hop


def test_kafka_may_repeat_a_batch_but_a_view_may_not() -> None:
    story = told(sent=2)
    for seq in (1, 2):
        story.recv(seq)
    rows = [story.row(seq) for seq in (1, 2)]
    story.log(*rows)
    story.log(*rows, *rows, store="kafka")
    assert story.judge().exit_code == 0
    story.lines = story.lines[:-2]
    story.recv(1)
    assert story.judge().verdicts == {"duplicate"}


def test_a_channel_that_kafka_never_saw_is_lost() -> None:
    story = told(sent=1)
    story.recv(1)
    story.log(story.row(1))
    story.log(story.row(1, ch="other", id="x", key="k1"), store="kafka")
    assert "lost" in story.judge().verdicts


def test_what_a_view_shows_and_the_log_lacks_is_inconsistent() -> None:
    story = told(sent=1)
    story.send(2, answer="info")
    story.recv(1)
    story.recv(2)
    story.log(story.row(1))
    assert story.judge().verdicts == {"inconsistent"}


def test_a_read_over_http_owes_nothing_but_agreement_and_rights() -> None:
    for shown, verdicts in (({}, set()), ({"hash": text_hash("x")}, {"inconsistent"}), ({"user": "eve"}, {"phantom"})):
        story = told(sent=2)
        story.recv(1)
        story.recv(2)
        story.add("ok", "read", **{"user": "bob"} | story.row(2) | shown)
        story.log(story.row(1), story.row(2))
        assert story.judge().verdicts == verdicts


def test_a_view_that_began_and_showed_nothing_has_lost_everything() -> None:
    story = told(sent=3)
    story.log(*(story.row(seq) for seq in (1, 2, 3)))
    report = story.judge()
    assert report.verdicts == {"lost"}
    assert "3 events of seq 1..3" in report.findings[0].says
