"""A client stands on the last contiguous seq of each channel."""

from hypothesis import given
from hypothesis import strategies as st

from signalink_core.client.positions import Arrival, Positions
from signalink_core.events import Position


def standing(seq: int = 4) -> Positions:
    positions = Positions()
    positions.follow({"c": Position(1, seq)})
    return positions


def test_the_next_event_is_fresh_and_moves_the_position() -> None:
    positions = standing()
    assert positions.arrive("c", Position(1, 5)) is Arrival.FRESH
    assert positions["c"] == Position(1, 5)


def test_a_seen_event_is_a_duplicate_and_a_jump_is_a_hole_and_neither_moves() -> None:
    positions = standing()
    assert positions.arrive("c", Position(1, 4)) is Arrival.DUPLICATE
    assert positions.arrive("c", Position(1, 6)) is Arrival.HOLE
    assert positions["c"] == Position(1, 4)


def test_a_greater_epoch_goes_on_and_a_smaller_one_never_does() -> None:
    positions = standing()
    assert positions.arrive("c", Position(2, 5)) is Arrival.FRESH
    assert positions.arrive("c", Position(1, 6)) is Arrival.DUPLICATE


def test_a_channel_that_was_left_moves_no_more() -> None:
    positions = standing()
    positions.forget("c")
    positions.begin("c", Position(1, 9))
    assert positions.arrive("c", Position(1, 10)) is Arrival.DUPLICATE
    assert "c" not in positions


@given(st.lists(st.integers(1, 12)))
def test_whatever_arrives_the_fresh_ones_are_contiguous(seqs: list[int]) -> None:
    positions = standing(0)
    fresh = [seq for seq in seqs if positions.arrive("c", Position(1, seq)) is Arrival.FRESH]
    assert fresh == list(range(1, len(fresh) + 1))


def test_what_the_user_may_not_see_is_no_hole() -> None:
    positions = Positions()
    positions.follow({"c": Position(1, 4)})
    positions.begin("c", Position(1, 4), [(5, 9), (12, 14)])
    assert positions.arrive("c", Position(1, 10)) is Arrival.FRESH
    assert positions.arrive("c", Position(1, 11)) is Arrival.FRESH
    assert positions.arrive("c", Position(1, 16)) is Arrival.HOLE
    assert positions.arrive("c", Position(1, 15)) is Arrival.FRESH
