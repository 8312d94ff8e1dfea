"""Tickets: one use, short, bound to session and origin, never stored in clear."""

from apiworld import ORIGIN, Person, World

from signalink_core.auth.tokens import API, SOCKET, TokenVerifier
from signalink_core.bus import keys
from signalink_stacks.local.testing import ValkeyServer


async def redeemed(valkey: ValkeyServer, ticket: str) -> str | None:
    """What a gateway gets for a ticket, with a gateway's rights."""
    async with valkey.settings("gateway").client() as gateway:
        value: bytes | None = await gateway.getdel(keys.ticket_key(ticket))
    return None if value is None else value.decode()


async def test_a_ticket_is_worth_a_socket_token_of_this_session_once(world: World, valkey: ValkeyServer) -> None:
    ann = await world.person()
    answer = await ann.post("/v1/ws-tickets", {"origin": ORIGIN})
    assert answer.status_code == 201
    given = answer.json()
    assert (given["expires_in"], given["url"]) == (30, "ws://127.0.0.1:8001/v1/socket")
    async with valkey.settings("admin").client() as admin:
        assert 25_000 < await admin.pttl(keys.ticket_key(given["ticket"])) <= 30_000
        assert given["ticket"].encode() not in b" ".join(await admin.keys())
    token = await redeemed(valkey, given["ticket"])
    assert token is not None
    assert await redeemed(valkey, given["ticket"]) is None
    verifier = TokenVerifier(world.api.keys, "signalink")
    claims = await verifier.verify(token, SOCKET)
    access = await verifier.verify(ann.access, API)
    assert (claims.sub, claims.sid, claims.exp, claims.origin) == (access.sub, access.sid, access.exp, ORIGIN)


async def test_the_header_of_a_browser_binds_the_ticket(world: World, valkey: ValkeyServer) -> None:
    ann = await world.person()
    given = (await ann.post("/v1/ws-tickets", headers={"Origin": ORIGIN})).json()
    token = await redeemed(valkey, given["ticket"])
    claims = await TokenVerifier(world.api.keys, "signalink").verify(token or "", SOCKET)
    assert claims.origin == ORIGIN


async def test_no_ticket_for_a_foreign_origin(world: World) -> None:
    ann = await world.person()
    refused = await ann.post("/v1/ws-tickets", {"origin": "https://evil.example"})
    assert (refused.status_code, refused.json()["code"]) == (403, "origin_refused")


async def test_a_socket_token_posts_and_does_nothing_else(world: World, valkey: ValkeyServer) -> None:
    ann = await world.person()
    channel = await ann.channel()
    given = (await ann.post("/v1/ws-tickets", {})).json()
    socket = Person(world.http, ann.id, ann.username, await redeemed(valkey, given["ticket"]) or "", "")
    assert (await socket.say(channel["id"])).status_code == 201
    for refused in (
        await socket.get("/v1/users/me"),
        await socket.post("/v1/ws-tickets"),
        await socket.get(f"/v1/channels/{channel['id']}/messages"),
        await socket.post("/v1/auth/logout"),
    ):
        assert (refused.status_code, refused.json()["reason"]) == (401, "audience")


async def test_a_socket_token_ends_with_its_session(world: World, valkey: ValkeyServer) -> None:
    ann = await world.person()
    channel = await ann.channel()
    given = (await ann.post("/v1/ws-tickets", {})).json()
    socket = Person(world.http, ann.id, ann.username, await redeemed(valkey, given["ticket"]) or "", "")
    await ann.post("/v1/auth/logout")
    refused = await socket.say(channel["id"])
    assert (refused.status_code, refused.json()["reason"]) == (401, "revoked")
