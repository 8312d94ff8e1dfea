"""A run never passes for lack of evidence."""

from dataclasses import replace

import msgspec

from signalink_labs.history.checker import check
from signalink_labs.history.evidence import Demands
from signalink_labs.history.lines import Line, encode
from signalink_labs.history.proof.model import Files, Model, sources
from signalink_labs.history.reader import MemorySource

DEMANDS = Demands(acknowledged=20, stores=("postgres", "kafka"), views=10)


def clean() -> Files:
    return Model(7).files


def reasons(files: Files, demands: Demands = DEMANDS) -> list[str]:
    report = check(sources(files), demands)
    assert report.exit_code == (2 if report.inconclusive else 0)
    return report.inconclusive


def without(files: Files, subject: str, **fields: str) -> Files:
    def kept(line: Line) -> bool:
        return line.f != subject or any(getattr(line, name) != value for name, value in fields.items())

    left = {name: [line for line in lines if kept(line)] for name, lines in files.items()}
    for lines in left.values():
        for index, line in enumerate(lines):
            line.i = index
    return left


def nemesis(node: str, code: str, mono_ns: int) -> list[Line]:
    moment = Line(i=0, mono_ns=mono_ns, proc="nemesis", type="note", f="nemesis", node=node, code=code)
    return [moment, Line(i=1, mono_ns=mono_ns, proc="nemesis", type="note", f="end")]


def test_a_complete_history_is_evidence_enough() -> None:
    assert reasons(clean()) == []


def test_too_few_acknowledged_sends_are_inconclusive() -> None:
    assert "acknowledged sends where 100000 are demanded" in reasons(clean(), replace(DEMANDS, acknowledged=100_000))[0]


def test_too_few_subscriptions_are_inconclusive() -> None:
    assert "subscriptions of views where 100 are demanded" in reasons(clean(), replace(DEMANDS, views=100))[0]


def test_a_missing_drain_is_inconclusive() -> None:
    assert "there was no drain" in reasons(without(clean(), "drain"))[0]


def test_an_unfinished_drain_is_inconclusive() -> None:
    files = clean()
    for line in files["reader-0"]:
        if line.f == "drain" and line.type == "ok":
            line.type = "info"
    assert any("did not finish" in reason for reason in reasons(files))


def test_a_missing_or_short_dump_is_inconclusive() -> None:
    assert "the dump of kafka is missing" in reasons(without(clean(), "dump", view="kafka"))[0]
    files = clean()
    for line in files["dumps"]:
        if line.f == "dump" and line.type == "ok" and line.view == "postgres":
            line.n = (line.n or 0) + 1
    assert "the dump of postgres says" in reasons(files)[0]


def test_a_missing_end_is_inconclusive_unless_the_process_was_killed() -> None:
    files = clean()
    files["reader-0"] = files["reader-0"][:-1]
    assert "has no end line" in reasons(files)[0]
    invoked = next(line for line in files["client-0"] if line.type == "invoke")
    files["nemesis"] = nemesis("reader-0", "kill", invoked.mono_ns)
    assert reasons(files) == []


def test_a_torn_last_line_is_inconclusive_and_proves_no_absence() -> None:
    torn = [
        MemorySource(source.name, [*source.raw[:20], source.raw[20][:-9]] if source.name == "reader-0" else source.raw)
        for source in sources(clean())
    ]
    report = check(torn, DEMANDS)
    assert report.exit_code == 2
    assert any("torn" in reason for reason in report.inconclusive)
    assert report.findings == []


def test_missing_lines_in_the_middle_are_noticed_by_their_numbers() -> None:
    files = clean()
    del files["client-0"][5]
    assert "lines are missing" in reasons(files)[0]


def test_a_line_that_is_no_history_line_is_named() -> None:
    broken = [MemorySource(source.name, [*source.raw, b'{"f":"unheard of"}\n']) for source in sources(clean())]
    assert any("is not a history line" in reason for reason in check(broken, DEMANDS).inconclusive)


def test_a_key_used_for_two_sends_is_inconclusive() -> None:
    files = clean()
    index = next(index for index, line in enumerate(files["client-0"]) if line.type == "ok" and line.f == "send")
    again = msgspec.structs.replace(files["client-0"][index], type="invoke", hash="another")
    files["client-0"].insert(index + 1, again)
    for number, line in enumerate(files["client-0"]):
        line.i = number
    assert any("used for two different sends" in reason for reason in reasons(files))


def test_a_fault_counts_only_with_a_request_in_flight() -> None:
    files = clean()
    invoked = next(line for line in files["client-0"] if line.type == "invoke")
    files["nemesis"] = nemesis("api-0", "kill", invoked.mono_ns)
    assert reasons(files) == []
    files["nemesis"] = nemesis("api-0", "kill", 1)
    assert "overlapped no operation" in reasons(files)[0]


def test_a_violation_outweighs_missing_evidence() -> None:
    files = without(clean(), "drain")
    index = next(index for index, line in enumerate(files["reader-0"]) if line.f == "recv")
    files["reader-0"].insert(index, msgspec.structs.replace(files["reader-0"][index]))
    for number, line in enumerate(files["reader-0"]):
        line.i = number
    report = check([MemorySource(name, [encode(line) for line in lines]) for name, lines in files.items()], DEMANDS)
    assert (report.exit_code, report.verdicts) == (1, {"duplicate"})
    assert report.inconclusive
