"""Ensure and Exact against a model: what a document makes of any channel; twice is once."""

import asyncio
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalink_core.events import types
from signalink_core.ids import uuid7

ROLES = ("owner", "moderator", "member", "reader")
USERS = range(5)
members = st.dictionaries(st.sampled_from(USERS), st.sampled_from(ROLES), max_size=5)


def model(
    present: dict[int, str], listed: dict[int, str], joined: list[int], *, exact: bool
) -> tuple[dict[int, str], bool]:
    """(who is in afterwards, whether an owner was kept). `joined`: present members, the first one first."""
    after = {**({} if exact else present), **listed}
    owned = "owner" in present.values()
    if not owned or "owner" in after.values():
        return after, False
    keeper = next(user for user in joined if present[user] == "owner")
    return {**after, keeper: "owner"}, True


class Desk:
    """Applies documents to one fresh channel through the function, `most` members a call."""

    def __init__(self, world: Any, account: UUID, users: list[UUID]) -> None:
        self.world, self.account, self.users = world, account, users
        self.slug = f"c-{uuid7()}"

    async def put(self, listed: dict[int, str], *, exact: bool = False, most: int = 200) -> list[dict[str, Any]]:
        wanted = [
            {"given": str(user), "role": role, "user_id": self.users[user], "username": None}
            for user, role in listed.items()
        ]
        channel = {"name": "C", "description": "", "kind": "private", "managed_by": "m", "slow_mode_seconds": 0}
        channel |= dict.fromkeys(("max_members", "messages_per_second", "retention_days", "also_topic"))
        answers = []
        while not answers or answers[-1]["more"]:
            answer = await self.world.call(
                "put_managed_channel", id=uuid7(), slug=self.slug, managed_by="m", adopt=False, settings=channel,
                members=wanted, exact=exact, most=most, actor_id=self.account, token=uuid7(),
            )  # fmt: skip
            assert answer["verdict"] == "ok", answer
            answers.append(answer)
        return answers

    async def present(self) -> dict[int, str]:
        rows = await self.world.admin.fetch(
            "SELECT user_id, role FROM messaging.channel_members m JOIN messaging.channels c ON c.id = m.channel_id "
            "WHERE c.slug = $1 ORDER BY joined_at, user_id",
            self.slug,
        )
        return {self.users.index(row["user_id"]): row["role"] for row in rows}

    async def events(self) -> list[Any]:
        return list(
            await self.world.admin.fetch(
                "SELECT e.* FROM messaging.events e JOIN messaging.channels c ON c.id = e.channel_id "
                "WHERE c.slug = $1 ORDER BY e.seq",
                self.slug,
            )
        )


async def check(desk: Desk, first: dict[int, str], second: dict[int, str], exact: bool, most: int) -> None:
    await desk.put(first)
    before = await desk.present()
    assert before == first
    expected, kept = model(before, second, list(before), exact=exact)
    answers = await desk.put(second, exact=exact, most=most)
    assert await desk.present() == expected
    assert answers[-1]["kept_owner"] is kept
    assert any(answer["changed"] for answer in answers) is (expected != before)
    log = await desk.events()
    (again,) = await desk.put(second, exact=exact)
    assert (again["changed"], again["events"], await desk.events()) == (False, [], log)
    replayed(desk, log, owned="owner" in first.values(), since=len(first))


def replayed(desk: Desk, log: list[Any], *, owned: bool, since: int) -> None:
    """A reader of the events arrives at the same members, and once there was an owner there always is one."""
    assert [row["seq"] for row in log] == list(range(1, len(log) + 1))
    assert len({row["event_id"] for row in log}) == len(log)
    inside: dict[str, str] = {}
    for row in log:
        data = row["payload"]
        types.TYPES[row["type"]].model_validate(data)
        if row["type"] == types.MEMBER_REMOVED:
            del inside[data["user_id"]]
        else:
            inside[data["user_id"]] = data["role"]
        assert not owned or row["seq"] <= since or "owner" in inside.values()


async def test_a_document_makes_of_any_channel_what_the_model_says_and_twice_is_once(world: Any) -> None:
    account, users = await world.user(), sorted([await world.user() for _ in USERS])
    loop = asyncio.get_running_loop()

    def here(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(30)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(members, members, st.booleans(), st.sampled_from([1, 2, 200]))
    def every(first: dict[int, str], second: dict[int, str], exact: bool, most: int) -> None:
        here(check(Desk(world, account, users), first, second, exact, most))

    await asyncio.to_thread(every)


async def test_ids_made_in_sql_are_version_7_and_in_order_of_time(world: Any) -> None:
    made = [await world.admin.fetchval("SELECT messaging.uuid7()") for _ in range(3)]
    ours = uuid7()
    assert all(one.version == 7 and one.variant == ours.variant for one in made)
    assert all(abs((one.int >> 80) - (ours.int >> 80)) < 60_000 for one in made)
    assert len(set(made)) == 3
