"""Messages through the api: the idempotent post, reading, editing, deleting, events."""

import asyncio
import unicodedata
from typing import Any

import pytest
from apiworld import World

from signalink_core.bus import Subscriber
from signalink_core.events import decode_live
from signalink_core.ids import uuid7
from signalink_core.testing import eventually
from signalink_stacks.local.testing import ValkeyServer


async def test_a_replay_answers_200_with_the_same_body(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    body = {"client_id": "k", "body": "hello", "metadata": {"b": [1, 2.5], "a": None}, "format": "markdown"}
    path = f"/v1/channels/{channel['id']}/messages"
    first, second = await ann.post(path, body), await ann.post(path, body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.content == second.content
    assert (await ann.get(f"/v1/messages/{first.json()['id']}")).json() == first.json()


async def test_eight_posts_of_one_key_at_once_are_one_message(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    body = {"client_id": "k", "body": "hello"}
    path = f"/v1/channels/{channel['id']}/messages"
    answers = await asyncio.gather(*(ann.post(path, body) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({answer.content for answer in answers}) == 1
    (row,) = await world.execute("SELECT count(*) AS n FROM messaging.messages")
    assert row["n"] == 1


@pytest.mark.parametrize("other", [{"body": "other"}, {"format": "markdown"}, {"metadata": {"a": 1}}])
async def test_the_key_of_another_message_is_a_conflict(world: World, other: dict[str, Any]) -> None:
    ann = await world.person()
    channel = await ann.channel()
    body = {"client_id": "k", "body": "hello"}
    path = f"/v1/channels/{channel['id']}/messages"
    await ann.post(path, body)
    refused = await ann.post(path, {**body, **other})
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_conflict")


async def test_keys_are_each_senders_own(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    channel = await ann.channel()
    await bob.post(f"/v1/channels/{channel['id']}/join")
    body = {"client_id": "k", "body": "hello"}
    path = f"/v1/channels/{channel['id']}/messages"
    assert [(await person.post(path, body)).status_code for person in (ann, bob)] == [201, 201]


async def test_the_idempotency_key_header_is_the_client_id(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    path = f"/v1/channels/{channel['id']}/messages"
    first = await ann.post(path, {"body": "hello"}, headers={"Idempotency-Key": '"k"'})
    again = await ann.post(path, {"body": "hello", "client_id": "k"}, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code, first.json()["client_id"]) == (201, 200, "k")
    differs = await ann.post(path, {"body": "hello", "client_id": "other"}, headers={"Idempotency-Key": "k"})
    missing = await ann.post(path, {"body": "hello"})
    assert (differs.status_code, missing.status_code) == (422, 422)


async def test_two_hundred_posts_at_once_are_numbered_one_to_two_hundred(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    answers = await asyncio.gather(*(ann.say(channel["id"], f"message {n}") for n in range(200)))
    assert sorted(answer.json()["seq"] for answer in answers) == list(range(1, 201))


async def test_text_is_normalised_and_line_ends_become_line_feeds(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    decomposed = unicodedata.normalize("NFD", "café")
    posted = await ann.say(channel["id"], f"{decomposed}\r\nnext\tcolumn")
    assert posted.json()["body"] == "café\nnext\tcolumn"


@pytest.mark.parametrize("body", ["", "  \n ", "a\x00b", "a\x1bb", "a\x85b", "a\u202eb", "a\u2066b", "a\rb"])
async def test_blank_and_deceiving_text_is_refused(world: World, body: str) -> None:
    ann = await world.person()
    channel = await ann.channel()
    refused = await ann.say(channel["id"], body)
    assert (refused.status_code, refused.json()["code"]) == (422, "validation")


async def test_a_lone_surrogate_is_refused(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    refused = await ann.call(
        "POST",
        f"/v1/channels/{channel['id']}/messages",
        content=b'{"client_id": "k", "body": "\\ud800"}',
        headers={"Content-Type": "application/json"},
    )
    assert refused.status_code == 422


async def test_a_body_has_at_most_four_thousand_characters(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    assert (await ann.say(channel["id"], "ä" * 4_000)).status_code == 201
    refused = await ann.say(channel["id"], "ä" * 4_001)
    assert refused.json()["errors"][0]["field"] == "body.body"


DEEP: Any = 1
for _ in range(20):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "metadata", [{"a": "x" * 8_200}, {"a": "\x00"}, {"\x00": 1}, {"a": 2**70}, ["a"], {"a": DEEP}, "a", None]
)
async def test_metadata_is_what_the_database_keeps_unchanged(world: World, metadata: Any) -> None:
    ann = await world.person()
    channel = await ann.channel()
    assert (await ann.say(channel["id"], metadata=metadata)).status_code == 422


@pytest.mark.parametrize("forged", ["id", "seq", "sender_id", "created_at", "epoch", "channel_id"])
async def test_no_field_of_the_server_can_be_sent(world: World, forged: str) -> None:
    ann = await world.person()
    channel = await ann.channel()
    refused = await ann.say(channel["id"], **{forged: "1"})
    assert refused.json()["errors"][0] == {
        "field": f"body.{forged}",
        "message": "Extra inputs are not permitted",
        "kind": "extra_forbidden",
    }


async def test_a_reply_names_a_message_of_its_channel(world: World) -> None:
    ann = await world.person()
    channel, other = await ann.channel(), await ann.channel()
    first = (await ann.say(channel["id"])).json()
    reply = (await ann.say(channel["id"], reply_to=first["id"])).json()
    assert (reply["reply_to"], reply["thread_root"]) == (first["id"], first["id"])
    for channel_id, target in ((other["id"], first["id"]), (channel["id"], str(uuid7()))):
        refused = await ann.say(channel_id, reply_to=target)
        assert (refused.status_code, refused.json()["code"]) == (422, "reply_unknown")


async def test_slow_mode_and_muting_answer_with_their_codes(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    channel = await ann.channel()
    await bob.post(f"/v1/channels/{channel['id']}/join")
    await ann.patch(f"/v1/channels/{channel['id']}", {"slow_mode_seconds": 30})
    assert (await bob.say(channel["id"])).status_code == 201
    slow = await bob.say(channel["id"])
    assert (slow.status_code, slow.json()["code"], slow.headers["retry-after"]) == (429, "slow_mode", "30")
    await world.execute("UPDATE messaging.channel_members SET muted_until = now() + interval '1 h'")
    muted = await bob.say(channel["id"])
    assert (muted.status_code, muted.json()["code"]) == (403, "muted")


async def test_a_message_is_edited_by_its_sender_only(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    channel = await ann.channel()
    await bob.post(f"/v1/channels/{channel['id']}/join")
    message = (await bob.say(channel["id"], "one")).json()
    path = f"/v1/messages/{message['id']}"
    assert (await ann.patch(path, {"body": "forged"})).status_code == 403
    edited = (await bob.patch(path, {"body": "two"})).json()
    assert (edited["body"], edited["seq"]) == ("two", message["seq"])
    assert edited["edited_at"] is not None
    assert (await bob.patch(path, {"body": "two"})).json() == edited
    (row,) = await world.execute("SELECT revision, body FROM messaging.message_revisions")
    assert (row["revision"], row["body"]) == (0, "one")


async def test_a_deleted_message_keeps_its_place_and_loses_its_body(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    channel = await ann.channel()
    await bob.post(f"/v1/channels/{channel['id']}/join")
    message = (await bob.say(channel["id"], "secret")).json()
    path = f"/v1/messages/{message['id']}"
    assert (await ann.delete(path)).status_code == 204  # the owner
    assert (await bob.delete(path)).status_code == 204  # changes nothing
    found = (await bob.get(path)).json()
    assert (found["body"], found["seq"]) == ("", message["seq"])
    assert found["deleted_at"] is not None
    events = await bob.get(f"/v1/channels/{channel['id']}/events")
    assert "secret" not in events.text
    assert (await bob.patch(path, {"body": "again"})).json()["reason"] == "deleted"


async def test_a_deletion_of_others_messages_needs_a_moderator(world: World) -> None:
    ann, bob = await world.person(), await world.person()
    channel = await ann.channel()
    await bob.post(f"/v1/channels/{channel['id']}/join")
    message = (await ann.say(channel["id"])).json()
    assert (await bob.delete(f"/v1/messages/{message['id']}")).status_code == 403


async def test_events_after_a_seq_are_the_frames_of_the_socket(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    for n in range(5):
        await ann.say(channel["id"], f"message {n}")
    path = f"/v1/channels/{channel['id']}/events"
    page = (await ann.get(path, after=2, limit=2)).json()
    assert ([event["seq"] for event in page["events"]], page["more"], page["last_seq"]) == ([3, 4], True, 5)
    rest = (await ann.get(path, after=4, limit=2)).json()
    assert ([event["seq"] for event in rest["events"]], rest["more"]) == ([5], False)
    assert (await ann.get(path, after=0, epoch=99)).json()["gap"] is True
    assert (await ann.get(path, after=6)).json()["gap"] is True
    assert (await ann.get(path, after=-1)).status_code == 422


async def test_the_callers_trace_goes_into_the_event(world: World) -> None:
    ann = await world.person()
    channel = await ann.channel()
    ann.headers["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    await ann.say(channel["id"])
    (row,) = await world.execute("SELECT traceparent FROM messaging.events WHERE channel_id IS NOT NULL")
    assert row["traceparent"].split("-")[1] == "0af7651916cd43dd8448eb211c80319c"
    assert row["traceparent"].endswith("-01")  # sampling is ours


async def test_what_is_committed_is_published_in_order(world: World, valkey: ValkeyServer) -> None:
    ann = await world.person()
    channel = await ann.channel()
    received: list[bytes] = []
    attached: list[Any] = []
    subscriber = Subscriber(
        valkey.settings("gateway"),
        on_event=lambda _, payload: received.append(payload),
        on_heads=lambda _: None,
        on_attached=attached.append,
        on_lost=lambda: None,
    )
    async with subscriber:
        subscriber.attach(uuid7().__class__(channel["id"]))
        await eventually(lambda: attached)
        message = (await ann.say(channel["id"])).json()
        await ann.patch(f"/v1/messages/{message['id']}", {"body": "other"})
        await ann.delete(f"/v1/messages/{message['id']}")
        await eventually(lambda: len(received) == 3)
    events = [decode_live(payload) for payload in received]
    assert [event.seq for event in events] == [1, 2, 3]
    assert [event.type.rpartition(".")[2] for event in events] == ["created", "edited", "deleted"]
