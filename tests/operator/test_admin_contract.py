"""The api's admin endpoint as the operator relies on it: one suite on the twin and on the real api."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from adminworld import issue
from apiworld import ORIGIN, World, make_settings
from channelworld import document
from operatorworld import renew

from signalink_api.app import Api
from signalink_core.database import pool
from signalink_core.ids import uuid7
from signalink_operator.adapters.channels import ApiChannels
from signalink_operator.model import Failure, ObservedChannel, Removal
from signalink_operator.testing import AdminApi
from signalink_stacks.local.testing import Database, ValkeyServer

MINE, THEIRS = "default/team-a/general", "default/team-b/general"
USERS = ("ana", "ben", "cleo")
ANA, BEN = {"user": "ana", "role": "owner"}, {"user": "ben", "role": "member"}
MEMBERS = """
SELECT u.username, m.role FROM messaging.channel_members m
JOIN messaging.users u ON u.id = m.user_id JOIN messaging.channels c ON c.id = m.channel_id WHERE c.slug = $1
"""


@dataclass
class Side:
    """One of the two; `members` tells who is in a channel, by its slug."""

    channels: ApiChannels
    members: Callable[[str], Awaitable[Mapping[str, str]]]

    async def put(self, slug: str = "general", **given: Any) -> ObservedChannel:
        found = (await self.channels.put({slug: document(**given)}))[slug]
        assert isinstance(found, ObservedChannel), found
        return found

    async def refused(self, slug: str = "general", **given: Any) -> Failure:
        found = (await self.channels.put({slug: document(**given)}))[slug]
        assert isinstance(found, Failure), found
        return found

    async def remove(self, mode: Any, holder: str = MINE) -> Mapping[str, Failure]:
        return await self.channels.remove({"general": Removal(holder, mode)})


@pytest.fixture(params=["twin", pytest.param("api", marks=pytest.mark.engine("postgres", "valkey"))])
async def side(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Side]:
    token = tmp_path / "service-token"
    if request.param == "twin":
        renew(token, "good")
        async with AdminApi() as twin, ApiChannels(twin.url, token) as channels:

            async def members(slug: str) -> Mapping[str, str]:
                return dict(twin.platform.channels[slug].members)

            yield Side(channels, members)
        return
    database: Database = request.getfixturevalue("database")
    valkey: ValkeyServer = request.getfixturevalue("valkey")
    async with Api(make_settings(tmp_path, database.settings("api"), valkey.settings("api"))) as api:
        world = World(api, database)
        renew(token, (await issue(world)).token)
        connection = await pool.connect(database.settings("owner"))
        for name in USERS:
            await connection.execute(
                "INSERT INTO messaging.users (id, username, email, display_name, password_hash) "
                "VALUES ($1, $2, $2 || '@example.org', $2, '-')",
                uuid7(),
                name,
            )

        async def rows(slug: str) -> Mapping[str, str]:
            return dict(await connection.fetch(MEMBERS, slug))

        async with ApiChannels(ORIGIN, token, transport=httpx.ASGITransport(app=api.asgi)) as channels:  # type: ignore[arg-type]
            yield Side(channels, rows)
        await connection.close()
        await world.http.aclose()


async def test_c01_a_repeat_has_the_same_id_and_changes_nothing(side: Side) -> None:
    made = await side.put(members=[ANA, BEN], display_name="General")
    assert (made.changed, made.member_count, made.slug) == (True, 2, "general")
    again = await side.put(members=[ANA, BEN], display_name="General")
    assert (again.channel_id, again.changed, again.member_count) == (made.channel_id, False, 2)
    assert (await side.put(members=[ANA, BEN], display_name="Other")).changed


async def test_c02_ensure_removes_nobody_and_exact_all_but_the_last_owner(side: Side) -> None:
    await side.put(members=[ANA, BEN])
    await side.put(members=[{"user": "cleo", "role": "moderator"}])
    assert await side.members("general") == {"ana": "owner", "ben": "member", "cleo": "moderator"}
    exact = await side.put(members=[{"user": "cleo", "role": "reader"}], members_policy="exact")
    assert (exact.kept_owner, exact.changed, exact.member_count) == (True, True, 2)
    assert await side.members("general") == {"ana": "owner", "cleo": "reader"}
    again = await side.put(members=[{"user": "cleo", "role": "reader"}], members_policy="exact")
    assert (again.kept_owner, again.changed) == (True, False)


async def test_c03_who_is_no_user_is_named_and_the_others_are_members(side: Side) -> None:
    found = await side.put(members=[ANA, {"user": "nobody", "role": "member"}])
    assert (found.unresolved, found.member_count) == (("nobody",), 1)
    assert (await side.put(members=[ANA, {"user": "nobody", "role": "member"}])).changed is False


async def test_c04_members_that_do_not_fit_are_refused_and_nothing_is_applied(side: Side) -> None:
    quota = {"messages_per_second": 5, "slow_mode_seconds": 1, "retention_days": 9, "max_members": 1}
    await side.put(members=[ANA], quota=quota)
    failure = await side.refused(members=[ANA, BEN], quota=quota, display_name="Other")
    assert failure.reason == "ChannelFull"
    assert await side.members("general") == {"ana": "owner"}
    assert (await side.put(members=[ANA], quota=quota)).changed is False


async def test_c05_the_further_topic_is_kept_and_let_go(side: Side) -> None:
    assert (await side.put(event_topic="orders.v1")).event_topic == "orders.v1"
    assert (await side.put(event_topic=None)).event_topic is None


@pytest.mark.parametrize("mode", ["archive", "delete"])
async def test_c08_letting_go_twice_is_once(side: Side, mode: str) -> None:
    made = await side.put()
    for _ in range(2):
        assert await side.remove(mode) == {}
    if mode == "archive":
        assert (await side.refused()).reason == "ChannelArchived"
        assert (await side.refused(adopt=True)).reason == "ChannelArchived"
    else:
        assert (await side.put()).channel_id != made.channel_id


async def test_c09_what_another_holds_is_taken_only_by_adopting(side: Side) -> None:
    made = await side.put(managed_by=THEIRS)
    failure = await side.refused()
    assert (failure.reason, THEIRS in failure.message) == ("NameTaken", True)
    assert await side.remove("delete") == {}
    taken = await side.put(adopt=True)
    assert (taken.channel_id, taken.changed) == (made.channel_id, True)
    assert (await side.refused(managed_by=THEIRS)).reason == "NameTaken"


async def test_c10_a_token_that_is_none_is_refused(side: Side, tmp_path: Path) -> None:
    renew(tmp_path / "service-token", "not.a.token")
    side.channels._token = "not.a.token"
    assert (await side.refused()).reason == "ApiUnauthorized"


async def test_a_slug_that_the_api_does_not_take_is_said(side: Side) -> None:
    assert (await side.refused("Big")).reason == "InvalidChannel"
