"""What becomes of events in time: windows, lateness, the clock, response times; however batches are cut."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from happenings import BASE, Channel, at, delivered, fact, moment
from hypothesis import given, settings
from hypothesis import strategies as st

from signalink_analytics import histograms, kinds
from signalink_analytics.marks import Marks, Rules, first_open, idle
from signalink_analytics.planning import Plan, Said, plan
from signalink_analytics.tally import Tally, channel_row
from signalink_core.events import Event, types
from signalink_core.ids import uuid7
from signalink_core.kafka.errors import BadRecord

RULES = Rules()
ANN, BOB, CAY = (UUID(int=n) for n in (1, 2, 3))
NOW = moment(at(7200))
AHEAD = moment(at(3600))


def planned(events: Sequence[Event], marks: Marks | None = None, said: dict[str, Said] | None = None) -> Plan:
    return plan(delivered(events), marks or Marks(NOW, others=AHEAD), RULES, said or {})


def window(time: datetime) -> int:
    return moment(time) // 60_000


def messages(tally: Tally) -> dict[int, int]:
    column = kinds.MESSAGE_COLUMNS.index("messages")
    return {place: row[column] for place, row in tally.messages.items() if row[column]}


def test_an_event_is_counted_in_the_window_of_its_own_time() -> None:
    channel = Channel()
    made = planned([channel.message(ANN, at(59.999)), channel.message(ANN, at(60)), channel.message(BOB, at(61), "hi")])
    assert messages(made.tally) == {window(BASE): 1, window(BASE) + 1: 2}
    assert made.passing.watermark == moment(at(61 - 5))
    key = (window(BASE) + 1, str(BOB), str(channel.id))
    assert dict(zip(kinds.USER_COLUMNS, made.tally.users[key], strict=True)) | {"messages": 1, "characters": 2} == dict(
        zip(kinds.USER_COLUMNS, made.tally.users[key], strict=True)
    )


@pytest.mark.parametrize(
    ("seconds", "what"),
    [
        (0, "late"),  # its window ended at 60; the watermark 95 is 35 s behind that
        (59.999, "late"),
        (60, "counted"),
        (100, "counted"),
    ],
)
def test_an_event_is_late_more_than_30_s_after_its_window_was_closed(seconds: float, what: str) -> None:
    channel = Channel()
    made = planned([channel.message(ANN, at(100)), channel.message(BOB, at(seconds))])
    assert len(made.passing.late) == (what == "late")
    assert sum(messages(made.tally).values()) == 2 - (what == "late")


def test_at_exactly_30_s_it_is_late_and_one_millisecond_before_it_corrects_its_window() -> None:
    for newest, late in ((95.0, 1), (94.999, 0)):
        channel = Channel()
        made = planned([channel.message(ANN, at(newest)), channel.message(BOB, at(10))])
        assert (len(made.passing.late), made.passing.corrected) == (late, 1 - late)


def test_a_late_event_says_whose_it_was_and_by_how_much_it_missed() -> None:
    channel = Channel()
    made = planned([channel.message(ANN, at(300)), channel.event(types.MESSAGE_EDITED, at(10), edited_by=BOB)])
    (late,) = made.passing.late
    assert (late.user, late.window, late.watermark) == (str(BOB), window(BASE), moment(at(295)))


@pytest.mark.parametrize(
    ("marks", "first"),
    [
        (Marks(NOW, own=moment(at(600)), others=None), 0),
        (Marks(NOW, own=None, others=AHEAD), 0),
        (Marks(NOW, own=moment(at(600)), others=moment(at(150))), window(at(120))),
        (Marks(NOW, own=moment(at(150)), others=moment(at(600))), window(at(120))),
        (Marks(NOW, own=moment(at(149.999)), others=moment(at(600))), window(at(60))),
        (Marks(NOW, own=None, others=None, final=moment(at(3600))), window(at(3600))),
    ],
)
def test_the_watermark_is_the_smallest_of_all_partitions_and_none_while_one_is_silent(marks: Marks, first: int) -> None:
    final = marks.final
    assert max(0, first_open(marks.watermark, final, RULES.lateness_ms)) == first


def test_what_is_rolled_up_takes_nothing_even_before_a_watermark_is_known() -> None:
    channel = Channel()
    made = planned([channel.message(ANN, at(0)), channel.message(ANN, at(3600))], Marks(NOW, final=moment(at(3600))))
    assert [late.at for late in made.passing.late] == [moment(at(0))]
    assert messages(made.tally) == {window(at(3600)): 1}


def test_an_event_from_the_future_is_counted_now_and_does_not_pull_the_watermark_ahead() -> None:
    channel = Channel()
    made = planned([channel.message(ANN, at(99_999)), channel.message(ANN, at(7200))])
    assert [(each.at, each.counted_at) for each in made.passing.clamped] == [(moment(at(99_999)), NOW)]
    assert messages(made.tally) == {NOW // 60_000: 2}
    assert made.passing.watermark == NOW - 5_000


def test_an_idle_partition_goes_with_the_clock_and_never_back() -> None:
    assert idle(Marks(NOW, own=None), RULES) == NOW - 5_000
    assert idle(Marks(NOW, own=NOW - 4_000), RULES) == NOW - 4_000


def test_a_response_is_the_time_to_the_next_message_of_another_user() -> None:
    channel, other = Channel(), Channel()
    trace = [
        channel.message(ANN, at(0)),
        channel.message(ANN, at(3)),
        channel.message(BOB, at(10)),
        other.message(CAY, at(11)),
        channel.message(ANN, at(10.5)),
    ]
    made = planned(trace)
    counters, _, responses = channel_row(made.tally.channels[window(BASE), str(channel.id)])
    assert counters[kinds.CHANNEL_COLUMNS.index("response_ms")] == 7_500
    expected = Counter([histograms.response_index(7_000), histograms.response_index(500)])
    assert {place: count for place, count in enumerate(responses) if count} == expected
    assert made.said[str(channel.id)] == (1, 4, str(ANN), moment(at(10.5)))


def test_the_message_before_is_known_from_the_last_batch_and_a_redriven_one_answers_nothing() -> None:
    channel = Channel(seq=5)
    said: dict[str, Said] = {str(channel.id): (1, 5, str(ANN), moment(at(0)))}
    fresh = channel.message(BOB, at(2))
    back = Channel(channel.id, seq=2).message(CAY, at(1))
    made = planned([fresh, back], said=said)
    _, _, responses = channel_row(made.tally.channels[window(BASE), str(channel.id)])
    assert sum(responses) == 1
    assert made.said[str(channel.id)][1] == 6
    assert sum(messages(made.tally).values()) == 2


@pytest.mark.parametrize(
    ("kind", "data", "column", "in_channel"),
    [
        (types.MESSAGE_EDITED, {"edited_by": ANN}, "edits", True),
        (types.MESSAGE_DELETED, {"deleted_by": ANN}, "deletions", True),
        (types.MEMBER_JOINED, {"user_id": ANN, "by": BOB}, "joins", True),
        (types.MEMBER_LEFT, {"user_id": ANN}, "departures", True),
        (types.USER_LOGGED_IN, {"user_id": ANN}, "logins", False),
        (types.USER_LOGGED_OUT, {"user_id": ANN}, "logouts", False),
        (types.USER_REGISTERED, {"user_id": ANN}, "registrations", False),
        (types.CHANNEL_CREATED, {"created_by": ANN, "id": BOB}, "channels", False),
    ],
)
def test_each_kind_counts_for_the_platform_its_channel_and_its_user(
    kind: str, data: dict[str, UUID], column: str, in_channel: bool
) -> None:
    channel = Channel()
    event = channel.event(kind, at(1), **data) if in_channel else fact(kind, ANN, at(1), **data)
    tally = planned([event]).tally
    assert tally.messages[window(BASE)][kinds.MESSAGE_COLUMNS.index(column)] == 1
    assert (len(tally.channels) == 1) == in_channel
    where = str(channel.id) if in_channel else kinds.NO_CHANNEL
    assert tally.users[window(BASE), str(ANN), where][kinds.USER_COLUMNS.index(column)] == 1


def test_a_read_mark_is_in_its_channel_and_a_removal_is_nobodys_doing() -> None:
    channel = Channel()
    read = fact(types.MESSAGE_READ, ANN, at(1), channel_id=channel.id, seq=4)
    gone = channel.event(types.MEMBER_REMOVED, at(1), user_id=ANN, by=BOB)
    tally = planned([read, gone]).tally
    assert list(tally.users) == [(window(BASE), str(ANN), str(channel.id))]
    counters = channel_row(tally.channels[window(BASE), str(channel.id)])[0]
    assert counters[kinds.CHANNEL_COLUMNS.index("reads")] == counters[kinds.CHANNEL_COLUMNS.index("departures")] == 1


@pytest.mark.parametrize(
    "data",
    [
        {"sender_id": "nobody", "body": "x"},
        {"sender_id": None, "body": "x"},
        {"body": "x"},
        {"sender_id": str(ANN)},
        {"sender_id": str(ANN), "body": 7},
        {"sender_id": str(ANN), "body": ["a"]},
    ],
)
def test_data_that_name_no_sender_or_body_are_a_bad_record(data: dict[str, object]) -> None:
    channel = Channel()
    good, bad = channel.message(ANN, at(1)), Event(uuid7(), types.MESSAGE_CREATED, at(2), 1, data, channel.id, 9)
    with pytest.raises(BadRecord) as caught:
        planned([good, bad])
    assert (caught.value.reason, caught.value.offset) == ("bad_data", 1)
    assert "nobody" not in str(caught.value)


@pytest.mark.parametrize(("length", "place"), [(0, 0), (10, 0), (11, 1), (4000, 8), (4001, 9)])
def test_a_length_is_in_the_first_element_whose_bound_it_keeps(length: int, place: int) -> None:
    assert histograms.length_index(length) == place


STEPS = st.lists(
    st.tuples(st.integers(-150, 30), st.integers(0, 2), st.integers(0, 2), st.integers(1, 5)), min_size=1, max_size=60
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, cuts=st.sets(st.integers(1, 59)))
def test_any_cutting_into_batches_counts_the_same(steps: list[tuple[int, int, int, int]], cuts: set[int]) -> None:
    channels = [Channel() for _ in range(3)]
    now, trace = 0, []
    for back, channel, user, forward in steps:
        now += forward * 10
        trace.append(channels[channel].message(UUID(int=user + 1), at(now + back), "x" * (user * 20)))
    whole = one_by_one(trace)
    marks, said, late, corrected = Marks(NOW, others=AHEAD), dict[str, Said](), 0, 0
    sums: tuple[Counter[Any], Counter[Any], Counter[Any]] = Counter(), Counter(), Counter()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(trace)], strict=True):
        made = planned(trace[start:end], marks, said)
        marks, said = Marks(NOW, made.passing.watermark, AHEAD), said | dict(made.said)
        late, corrected = late + len(made.passing.late), corrected + made.passing.corrected
        for total, part in zip(sums, single_counts(made.tally), strict=True):
            total.update(part)
    column = kinds.MESSAGE_COLUMNS.index("messages")
    assert ({place: n for (place, where), n in sums[0].items() if where == column and n}, late) == whole
    single = planned(trace)
    assert sums == single_counts(single.tally)
    assert (late, corrected) == (len(single.passing.late), single.passing.corrected)


def single_counts(tally: Tally) -> tuple[Counter[Any], Counter[Any], Counter[Any]]:
    """(key, column) -> count, of the platform, of channels, of users."""
    tables: tuple[Any, ...] = (tally.messages, tally.channels, tally.users)
    made = [Counter({(key, n): v for key, row in table.items() for n, v in enumerate(row)}) for table in tables]
    return made[0], made[1], made[2]


def one_by_one(trace: Sequence[Event]) -> tuple[dict[int, int], int]:
    """Messages per window, and how many are late, from the words of the design alone."""
    counted: Counter[int] = Counter()
    newest, late = None, 0
    for event in trace:
        seconds = (event.time - BASE).total_seconds()
        start = seconds // 60 * 60
        watermark = None if newest is None else min(newest - 5, 3600)
        if watermark is not None and start + 60 + 30 <= watermark:
            late += 1
        else:
            counted[window(event.time)] += 1
        newest = seconds if newest is None else max(newest, seconds)
    return dict(counted), late
