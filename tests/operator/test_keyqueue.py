"""The one queue: each key once, in batches, never in flight twice, bounded; and the store that feeds it."""

import asyncio

import pytest
from operatorworld import resource

from signalink_core.errors import QueueFull
from signalink_operator.keyqueue import KeyQueue
from signalink_operator.model import Key
from signalink_operator.store import Store

A, B, C = (Key("Topic", "default", name) for name in "abc")


async def test_t21_a_key_is_in_a_batch_once_however_often_it_is_put() -> None:
    queue = KeyQueue(linger_seconds=0)
    for key in (A, B, A, A):
        queue.put(key)
    assert await queue.take("Topic") == [A, B]


async def test_t21_a_key_that_arrives_in_flight_waits_at_the_tail_until_the_batch_is_done() -> None:
    queue = KeyQueue(linger_seconds=0)
    queue.put(A)
    batch = await queue.take("Topic")
    queue.put(A)
    queue.put(B)
    assert await queue.take("Topic") == [B]
    queue.done(batch)
    assert await queue.take("Topic") == [A]


async def test_a_batch_ends_when_it_is_full() -> None:
    queue = KeyQueue(batch=2, linger_seconds=60)
    for key in (A, B, C):
        queue.put(key)
    assert await queue.take("Topic") == [A, B]


async def test_a_batch_waits_for_more_and_then_goes_as_it_is() -> None:
    queue = KeyQueue(linger_seconds=0.05)
    taking = asyncio.ensure_future(queue.take("Topic"))
    await asyncio.sleep(0)
    queue.put(A)
    queue.put(B)
    assert await asyncio.wait_for(taking, 5) == [A, B]


async def test_a_retry_comes_when_it_is_due_and_earlier_when_something_else_puts_it() -> None:
    now = [0.0]
    queue = KeyQueue(linger_seconds=0, clock=lambda: now[0])
    queue.put_later(A, 5)
    queue.put_later(B, 5)
    queue.put(B)
    assert await queue.take("Topic") == [B]
    queue.done([B])
    now[0] = 6
    assert await queue.take("Topic") == [A]


async def test_t22_a_full_queue_raises_instead_of_dropping() -> None:
    queue = KeyQueue(most=2)
    queue.put(A)
    queue.put(B)
    with pytest.raises(QueueFull):
        queue.put(C)
    queue.put(A)


def test_t15_who_waits_for_a_topic_is_told_when_its_owner_goes() -> None:
    store = Store()
    old = resource(name="old", spec={"topicName": "t"}, created="2026-01-01T00:00:00Z")
    young = resource(name="young", spec={"topicName": "t"}, created="2026-01-02T00:00:00Z")
    assert store.see(young) == {young.key}
    assert store.see(old) == {young.key, old.key}
    assert (store.owner(young), store.owner(old)) == (old.key, old.key)
    assert store.forget(old.key) == {young.key}
    assert store.owner(young) == young.key


def test_t14_a_resource_that_stops_to_fit_is_forgotten_and_one_that_begins_to_is_taken_up() -> None:
    store = Store(labels="team=a")
    assert store.see(resource(labels={"team": "b"})) == set()
    taken = resource(labels={"team": "a"})
    assert store.see(taken) == {taken.key}
    store.see(resource(labels={"team": "b"}))
    assert store.get(taken.key) is None


def test_what_the_operator_wrote_itself_asks_for_no_other_pass() -> None:
    store = Store()
    first = resource(version=1)
    store.see(first)
    assert store.see(resource(version=2, status={"topicName": "t"})) == set()
    assert store.see(resource(version=3, generation=2)) == {first.key}


def test_an_older_state_does_not_replace_a_newer_one() -> None:
    store = Store()
    store.see(resource(version=5, generation=2))
    assert store.see(resource(version=4)) == set()
    assert store.get(resource().key) == resource(version=5, generation=2)


def test_a_list_takes_away_what_vanished_while_the_watch_was_down_and_nothing_newer() -> None:
    store = Store()
    gone, newer = resource(name="gone", version=1), resource(name="newer", version=9)
    store.see(gone)
    store.see(newer)
    store.replace("Topic", [], 5, store.keys("Topic"))
    assert store.keys("Topic") == {newer.key}


def test_only_the_namespaces_that_are_watched_count() -> None:
    store = Store(namespaces=("team-*",))
    assert store.ours(resource(namespace="team-a"))
    assert not store.ours(resource(namespace="default"))
    assert not Store(cluster_ref="other").ours(resource())
