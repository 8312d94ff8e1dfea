"""The document against the code and against bytes that were on the wire."""

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import orjson
import pytest
import yaml

from signalink_core import ids
from signalink_core.testing import eventually
from signalink_gateway import answers, asyncapi, commands

DOCUMENT = Path(__file__).parents[2] / "docs/api/asyncapi.yaml"


def test_the_committed_document_is_what_the_code_builds() -> None:
    assert DOCUMENT.read_text() == asyncapi.text(), "python -m signalink_gateway.asyncapi docs/api/asyncapi.yaml"


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = yaml.safe_load(DOCUMENT.read_text())
    for reference in set(re.findall(r"#/[\w/]+", DOCUMENT.read_text())):
        at: Any = document
        for step in reference[2:].split("/"):
            at = at[step]


def test_every_known_op_is_a_message_of_the_document() -> None:
    document = yaml.safe_load(DOCUMENT.read_text())
    structs = get_args(commands.AnyCommand) + get_args(answers.AnyAnswer)
    messages = document["components"]["messages"]
    assert set(messages) == {struct.__name__.lower() for struct in structs}
    assert {message["name"] for message in messages.values()} == {asyncapi.op(struct) for struct in structs}
    assert set(commands.OPS) == {asyncapi.op(struct) for struct in get_args(commands.AnyCommand)}


@pytest.mark.engine("postgres", "valkey")
async def test_every_kind_of_frame_on_the_wire_is_as_the_document_says(platform: Any) -> None:
    ana, ben = await platform.user(), await platform.user()
    channel = await platform.channel(ana, ben, kind="private")
    app = await platform.gateway(ping_seconds=0.3)
    client = await platform.connect(app, ben)
    await client.subscribe(channel, after={channel: (1, 0)}, ref="skipped")
    await client.subscribe(ids.uuid7(), ref=2)
    await platform.post(channel, ana, 3)
    await client.saw(channel, 4)
    await client.say(op="ping", n=3, ref="p")
    await client.say(op="send", channel=channel, client_id="a", body="x", ref=1)
    await client.got("ack")
    platform.answers = lambda *_: (429, {"code": "rate_limited", "detail": "slow down"})
    await client.say(op="send", channel=channel, client_id="b", body="x")
    await client.got("nack")
    await client.say(op="auth", token=platform.access(ben), ref="again")
    await client.got("authenticated")
    await client.got("heads")
    await client.say(op="unsubscribe", channels=[channel])
    await client.subscribe(channel, after={channel: (9, 9)})
    await client.got("gap")
    await client.say(op="presence.watch", users=[ana], ref="w")
    await client.got("presence")
    other = await platform.connect(app, ana)
    await other.subscribe(channel)
    await other.got("subscribed")
    await client.subscribe(channel)
    await eventually(lambda: app.people.members.may_type(channel, ana))
    await other.say(op="typing", channel=channel)
    await client.got("typing")
    await app.drain()
    await client.end()
    decoder = msgspec.json.Decoder(answers.AnyAnswer)
    seen = {type(decoder.decode(orjson.dumps(frame))) for frame in client.frames}
    assert seen == set(get_args(answers.AnyAnswer))
