"""The ledger judges what is old, behind the cursor and read past; a view what an open socket should have shown."""

from signalink_core.ids import uuid7
from signalink_core.log.outbox import SHARDS, Place
from signalink_prober.ledger import Expected, Ledger
from signalink_prober.views import MOST, View

AT = 1_000_000.0
CHANNEL = "c"


def row(number: int, shard: int = 3, at: float = AT) -> Expected:
    return Expected(uuid7(), shard, Place(1, number, number), at)


def cursors(xid: int) -> dict[int, Place]:
    return dict.fromkeys(SHARDS, Place(1, xid, xid))


def settled(ledger: Ledger, cursor: int, now: float = AT + 31) -> tuple[int, int]:
    verdicts = ledger.judge(cursors(cursor), now)
    return verdicts.checked, verdicts.missing


def test_what_kafka_gave_before_or_after_the_log_was_read_is_not_missing() -> None:
    ledger, first, second = Ledger(), row(1), row(2)
    ledger.saw(first.event_id, ("messages", 0, 1), AT)
    ledger.expect(first)
    ledger.expect(second)
    ledger.saw(second.event_id, ("messages", 0, 2), AT)
    assert settled(ledger, 9) == (2, 0)
    assert ledger.waiting == 0


def test_what_the_relay_passed_and_kafka_does_not_hold_is_missing() -> None:
    ledger = Ledger()
    ledger.expect(lost := row(1))
    verdicts = ledger.judge(cursors(9), AT + 31)
    assert (verdicts.checked, verdicts.missing, verdicts.examples) == (1, 1, (lost.event_id,))


def test_what_waits_for_the_relay_is_late_and_not_missing() -> None:
    ledger = Ledger()
    ledger.expect(row(5))
    assert settled(ledger, 4, AT + 3600) == (0, 0)
    assert settled(ledger, 5, AT + 3600) == (1, 1)


def test_nothing_is_judged_before_it_is_30_s_old() -> None:
    ledger = Ledger()
    ledger.expect(row(1))
    assert settled(ledger, 9, AT + 29) == (0, 0)


def test_a_record_at_another_place_is_a_duplicate_and_the_same_place_read_again_is_not() -> None:
    ledger, event = Ledger(), uuid7()
    assert not ledger.saw(event, ("messages", 0, 1), AT)
    assert not ledger.saw(event, ("messages", 0, 1), AT)
    assert ledger.saw(event, ("messages", 0, 7), AT)


def test_memory_is_bounded_and_what_waits_survives_the_turn_of_generations() -> None:
    ledger = Ledger(most=100, remembered=50)
    kept = row(1)
    ledger.expect(kept)
    ledger.saw(kept.event_id, ("messages", 0, 0), AT)
    for number in range(1_000):
        ledger.saw(uuid7(), ("messages", 0, number + 1), AT)
    assert len(ledger._seen) + len(ledger._seen_before) <= 100
    assert len(ledger._found) <= 101
    assert settled(ledger, 9) == (1, 0)
    for number in range(100):
        ledger.expect(row(number))
    assert ledger.full
    assert ledger.forget() == 100


# -- sockets -----------------------------------------------------------------------------------------------------------


def view_on(position: int = 0) -> View:
    view = View(CHANNEL)
    view.frame({"op": "welcome"}, 0.0)
    view.frame({"op": "subscribed", "channel": CHANNEL, "position": {"epoch": 1, "seq": position}}, 0.0)
    return view


def shows(view: View, seq: int, now: float = 1.0) -> None:
    view.frame({"op": "event", "channel": CHANNEL, "epoch": 1, "seq": seq}, now)


def test_a_socket_owes_what_is_above_its_beginning() -> None:
    view = view_on(position=2)
    shows(view, 3)
    for seq in (1, 2, 3, 4):
        view.expect(seq, 1.0)
    assert view.judge(40.0) == (2, [4])
    assert view.arrived(3) == 1.0


def test_a_socket_that_is_away_or_just_came_back_is_not_judged() -> None:
    view = view_on()
    view.expect(1, 1.0)
    view.closed()
    assert view.judge(100.0) == (0, [])
    view.frame({"op": "welcome"}, 101.0)
    assert view.judge(105.0) == (0, [])
    shows(view, 1, 106.0)
    assert view.judge(112.0) == (1, [])


def test_twice_on_one_connection_is_a_duplicate_and_once_on_each_is_not() -> None:
    view = view_on()
    shows(view, 1)
    view.frame({"op": "welcome"}, 2.0)
    shows(view, 1)
    assert view.duplicates == 0
    shows(view, 1)
    assert view.duplicates == 1


def test_a_gap_was_told_and_a_view_keeps_a_bounded_number() -> None:
    view = view_on()
    view.expect(1, 1.0)
    view.frame({"op": "gap", "channel": CHANNEL, "position": {"epoch": 2, "seq": 5}}, 2.0)
    assert view.judge(50.0) == (0, [])
    for seq in range(6, MOST * 2 + 6):
        view.expect(seq, 1.0)
        shows(view, seq)
    assert view.waiting == MOST == len(view._shown)
