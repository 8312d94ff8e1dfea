"""A channel's quota as a socket meets it: real gateway, real api, one Postgres."""

from pathlib import Path
from typing import Any

from apiworld import ORIGIN, make_settings

from signalink_api.app import Api
from signalink_core.http import HttpServer
from signalink_core.settings import EdgeSettings
from signalink_stacks.local.testing import Database, ValkeyServer


async def test_a_send_above_the_quota_is_a_nack_with_the_time_to_come_back(
    platform: Any, database: Database, valkey: ValkeyServer, tmp_path: Path
) -> None:
    owner = await platform.user()
    channel = await platform.channel(owner)
    await platform.sql.execute("UPDATE messaging.channels SET messages_per_second = 3 WHERE id = $1", channel)
    api = Api(make_settings(tmp_path, database.settings("api"), valkey.settings("api")))
    api.keys = platform.keys
    async with api:
        assert api.asgi is not None
        async with HttpServer(api.asgi, host="127.0.0.1", port=0) as server:
            edge = EdgeSettings(api_url=f"http://127.0.0.1:{server.port}", ws_origins=(ORIGIN,))
            client = await platform.connect(await platform.gateway(edge=edge), owner)
            for n in range(5):
                await client.say(op="send", channel=channel, client_id=f"k{n}", body="hello", ref=n)
            nacks, acks = await client.got("nack", 2), await client.got("ack", 3)
            await client.close()
    assert [ack["seq"] for ack in acks] == [1, 2, 3]
    assert {(nack["code"], nack["retry_after_ms"]) for nack in nacks} == {("rate_limited", 1000)}
