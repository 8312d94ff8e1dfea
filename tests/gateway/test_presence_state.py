"""The pure parts of presence on invented time: a node's roster, the view over nodes, the census of the registry."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core import ids
from signalink_core.bus.hints import STATES, Batch
from signalink_core.bus.presence import Here, Mark, Reading
from signalink_core.events.types import PresenceState
from signalink_gateway.census import Census, Plan
from signalink_gateway.roster import Change, Roster, strongest
from signalink_gateway.view import View

ANA, BEN = ids.uuid7(), ids.uuid7()


@pytest.mark.parametrize(
    ("devices", "shown"),
    [
        ([], "offline"),
        (["away"], "away"),
        (["away", "online"], "online"),
        (["online", "dnd"], "dnd"),
        (["dnd", "away", "offline"], "dnd"),
        (["offline", "away"], "away"),
    ],
)
def test_the_strongest_device_speaks_for_the_user(devices: list[PresenceState], shown: str) -> None:
    assert strongest(devices) == shown


def states(roster: Roster) -> list[tuple[str, str]]:
    return [(change.before, change.state) for change in roster.changes()]


def test_two_devices_one_leaves_nothing_changes() -> None:
    roster = Roster(5)
    roster.opened(ANA, 1)
    roster.opened(ANA, 2)
    assert roster.changes() == [Change(ANA, "offline", "online", 2)]
    roster.closed(ANA, 2, now=10)
    assert roster.changes() == [Change(ANA, "online", "online", 1)]
    roster.expire(now=20)
    assert states(roster) == [("online", "online")]


def test_who_leaves_is_offline_after_the_grace_and_forgotten() -> None:
    roster = Roster(5)
    roster.opened(ANA, 1)
    roster.changes()
    roster.closed(ANA, 1, now=10)
    assert states(roster) == [("online", "online")]
    roster.expire(now=14.9)
    assert states(roster) == []
    roster.expire(now=15)
    assert states(roster) == [("online", "offline")]
    assert len(roster) == 0
    assert ANA not in roster


def test_a_reconnect_within_the_grace_changes_nothing_not_even_a_dnd() -> None:
    roster = Roster(5)
    roster.opened(ANA, 1)
    roster.said(ANA, 1, "dnd")
    assert states(roster) == [("offline", "dnd")]
    roster.closed(ANA, 1, now=10)
    roster.opened(ANA, 2)
    assert states(roster) == [("dnd", "dnd")]
    roster.said(ANA, 2, "dnd")
    roster.expire(now=100)
    assert states(roster) == [("dnd", "dnd")]
    roster.said(ANA, 2, "away")
    assert states(roster) == [("dnd", "away")]


def test_a_session_that_speaks_ends_what_a_lost_one_said() -> None:
    roster = Roster(5)
    roster.opened(ANA, 1)
    roster.opened(ANA, 2)
    roster.said(ANA, 1, "dnd")
    roster.closed(ANA, 1, now=1)
    assert roster.state(ANA) == "dnd"
    roster.said(ANA, 2, "away")
    assert roster.state(ANA) == "away"


def test_the_grace_begins_anew_with_each_session_that_leaves() -> None:
    roster = Roster(5)
    roster.opened(ANA, 1)
    roster.closed(ANA, 1, now=0)
    roster.opened(ANA, 2)
    roster.closed(ANA, 2, now=4)
    roster.expire(now=8)
    assert roster.state(ANA) == "online"
    roster.expire(now=9)
    assert roster.state(ANA) == "offline"


def test_what_a_session_says_that_is_not_there_is_ignored() -> None:
    roster = Roster(5)
    roster.said(ANA, 1, "dnd")
    roster.closed(ANA, 1, now=0)
    assert roster.changes() == []


steps = st.lists(st.tuples(st.sampled_from(["open", "say", "close", "wait", "look"]), st.integers(0, 3)), max_size=40)


@given(steps)
def test_looks_chain_and_nothing_is_left_when_everyone_left(steps: list[tuple[str, int]]) -> None:
    """Each change begins where the one before it ended; sessions are exactly those that are open."""
    roster, now, last, sessions = Roster(5), 0.0, "offline", set()
    for action, n in steps:
        if action == "open":
            roster.opened(ANA, n)
            sessions.add(n)
        elif action == "say":
            roster.said(ANA, n, STATES[n % 3])
        elif action == "close":
            roster.closed(ANA, n, now)
            sessions.discard(n)
        elif action == "wait":
            now += n
            roster.expire(now)
        for change in roster.changes() if action == "look" else ():
            assert change.before == last
            assert change.sessions == len(sessions)
            last = change.state
        assert (roster.state(ANA) == "offline") <= (not sessions)
    for n in list(sessions):
        roster.closed(ANA, n, now)
    roster.expire(now + 5)
    roster.changes()
    assert len(roster) == 0


class Local(dict[UUID, PresenceState]):
    def __call__(self, user: UUID) -> PresenceState:
        return self.get(user, "offline")


def a_view(*users: UUID) -> tuple[View, Local]:
    local = Local()
    view = View("me", local)
    for user in users:
        view.want(user)
    view.known(users)
    return view, local


def test_a_user_on_two_nodes_is_offline_only_when_both_say_so() -> None:
    view, local = a_view(ANA)
    local[ANA] = "online"
    view.moved(ANA)
    view.hear(Batch("b", 1, [(ANA, "away")]))
    assert view.edges() == [(ANA, "online")]
    local[ANA] = "offline"
    view.moved(ANA)
    assert view.edges() == [(ANA, "away")]
    view.hear(Batch("b", 2, [(ANA, "offline")]))
    assert view.edges() == [(ANA, "offline")]
    assert view.edges() == []


@pytest.mark.parametrize(("batches", "missed"), [([1], [True]), ([1, 2], [True, False]), ([1, 3], [True, True])])
def test_a_missed_batch_is_noticed(batches: list[int], missed: list[bool]) -> None:
    view, _ = a_view(ANA)
    assert [view.hear(Batch("b", n)) for n in batches] == missed


def test_an_older_reading_does_not_undo_a_later_batch() -> None:
    view, _ = a_view(ANA, BEN)
    view.hear(Batch("b", 7, [(ANA, "dnd"), (BEN, "offline")]))
    view.read("b", Reading(6, {BEN: Here("online", 1, 3)}), [ANA, BEN])
    assert (view.state(ANA), view.state(BEN)) == ("dnd", "offline")
    view.read("b", Reading(8, {BEN: Here("online", 1, 8)}), [ANA, BEN])
    assert (view.state(ANA), view.state(BEN)) == ("offline", "online")


def test_an_older_batch_that_comes_late_does_not_undo_a_reading() -> None:
    view, _ = a_view(ANA)
    view.read("b", Reading(5, {ANA: Here("away", 1, 5)}), [ANA])
    view.hear(Batch("b", 4, [(ANA, "online")]))
    assert view.state(ANA) == "away"


def test_a_dead_node_takes_its_users_with_it_but_not_those_who_are_elsewhere() -> None:
    view, _ = a_view(ANA, BEN)
    view.hear(Batch("b", 1, [(ANA, "online"), (BEN, "online")]))
    view.hear(Batch("c", 1, [(BEN, "online")]))
    view.edges()
    assert set(view.gone("b")) == {ANA, BEN}
    assert view.edges() == [(ANA, "offline")]


def test_who_is_not_read_yet_is_not_told_unless_nothing_can_be_read() -> None:
    view, local = a_view()
    view.want(ANA)
    local[ANA] = "online"
    view.moved(ANA)
    assert view.edges() == []
    assert view.edges(patient=False) == [(ANA, "online")]


def test_the_own_echo_and_users_nobody_wants_leave_no_trace() -> None:
    view, _ = a_view(ANA)
    assert not view.hear(Batch("me", 9, [(ANA, "dnd")]))
    view.hear(Batch("b", 1, [(BEN, "dnd")]))
    view.drop(ANA)
    assert (view.edges(), len(view), view.unread) == ([], 0, {})


ALIVE, DEAD = Mark(True, 4), Mark(False, 4)
LONG: list[tuple[float, dict[str, Mark]]] = [(0.0, {}), (9.0, {})]


@pytest.mark.parametrize(
    ("now", "registry", "heard", "plan"),
    [
        (9.0, {"b": ALIVE}, {"b": 4}, Plan()),
        (9.0, {"b": ALIVE}, {"b": 3}, Plan(read=frozenset("b"))),
        (9.0, {"b": ALIVE}, {}, Plan(read=frozenset("b"))),
        (9.0, {"b": Mark(True, None)}, {"b": 3}, Plan()),
        (9.0, {"b": DEAD}, {"b": 4}, Plan(reap=frozenset("b"))),
        (8.9, {"b": DEAD}, {"b": 4}, Plan()),
        (9.0, {"me": DEAD}, {}, Plan()),
        (9.0, {}, {"b": 4}, Plan()),
    ],
    ids=["as heard", "ahead", "new", "writes anew", "dead", "too early to say", "myself", "absent for a moment"],
)
def test_what_follows_from_the_registry(now: float, registry: Any, heard: dict[str, int], plan: Plan) -> None:
    census = Census("me", 9.0)
    census.judge(0.0, {}, {})
    assert census.judge(now, registry, heard) == plan


def test_after_an_outage_nobody_is_reaped_before_heartbeats_had_their_time() -> None:
    census = Census("me", 9.0)
    census.judge(0.0, {"b": ALIVE}, {})
    census.lost()
    assert census.judge(100.0, {"b": DEAD}, {"b": 4}).reap == frozenset()
    assert census.judge(109.0, {"b": DEAD}, {"b": 4}).reap == {"b"}


def test_a_node_that_stays_absent_is_forgotten_and_one_that_comes_back_is_not() -> None:
    census = Census("me", 9.0)
    census.judge(0.0, {}, {"b": 1, "c": 1})
    census.judge(5.0, {"c": ALIVE}, {"b": 1, "c": 4})
    assert census.judge(9.0, {}, {"b": 1, "c": 4}).forget == {"b"}
