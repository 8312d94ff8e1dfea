"""Valkey by a role: a real server whose user has the token as password, and connections that outlive it."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import redis.asyncio
from authorities import Authority
from standins import LOOPBACK, REGION, Clock, Identity, tls_front

from signalink_core import clock as clocks
from signalink_core import ids, principals
from signalink_core.bus import Publisher, Subscriber
from signalink_core.events import Event
from signalink_core.guard.windows import Window, Windows
from signalink_core.settings import RedisSettings
from signalink_core.signin import aws
from signalink_core.signin.redis import RENEW_SECONDS, RETRY_SECONDS, Login
from signalink_core.testing import eventually
from signalink_stacks.local.testing.valkeys import ValkeyServer

pytestmark = pytest.mark.engine("valkey")
CACHE, PREFIX = "lab-redis", "lab-"
HOUR = 3600.0
Admin = redis.asyncio.Redis


class Timed(RedisSettings):
    """Connections count their hours in virtual time."""

    clock: ClassVar[Clock]

    def login(self) -> Login | None:
        found = super().login()
        if found is not None:
            found.clock = self.clock
        return found


@pytest.fixture
async def admin(valkey: ValkeyServer) -> AsyncIterator[Admin]:
    client = valkey.settings().client()
    yield client
    for name in ("api", "gateway"):
        await client.acl_deluser(PREFIX + name)
    await client.aclose()


@pytest.fixture
async def port(valkey: ValkeyServer, authority: Authority) -> AsyncIterator[int]:
    async with tls_front(valkey.engine.port, authority.server()) as found:
        yield found


@pytest.fixture
def settings(port: int, authority: Authority, pod: Identity, clock: Clock) -> Any:
    """By principal: as its own user, whose name is the stack's."""
    Timed.clock = clock

    def of(principal: str) -> RedisSettings:
        url = f"rediss://{PREFIX}{principal}@{LOOPBACK}:{port}/0"
        return Timed(url=url, auth="iam", ca_file=authority.ca_file, aws_region=REGION, cache=CACHE)

    return of


async def accept(admin: Admin, principal: str, clock: Clock, *moments: float) -> None:
    """The server takes the tokens of these moments from now on, and no others; living connections stay."""
    user, now = PREFIX + principal, clock.now
    tokens = []
    for clock.now in moments or (now,):
        tokens.append(aws.role().redis(CACHE, user, REGION)()[0])
    clock.now = now
    rules = acl_words(principals.PRINCIPALS[principal].redis_acl or "")
    await admin.execute_command("ACL", "SETUSER", user, "on", "resetpass", *(f">{each}" for each in tokens), *rules)


def acl_words(rules: str) -> list[str]:
    """Rules as arguments: a selector in parentheses is one of them."""
    words: list[str] = []
    for word in rules.split():
        if words and words[-1].startswith("(") and not words[-1].endswith(")"):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


async def clients(admin: Admin, principal: str) -> set[str]:
    """Ids of the living connections of a user."""
    found = await admin.client_list()
    return {each["id"] for each in found if each["user"] == PREFIX + principal}


def event(channel: Any, seq: int) -> Event:
    return Event(
        id=ids.uuid7(), type="dev.signalink.message.created", time=clocks.utc_now(), epoch=1, data={},
        channel=channel, seq=seq,
    )  # fmt: skip


async def test_redis_py_signs_in_again_on_the_same_connection_before_twelve_hours(
    admin: Admin, settings: Any, clock: Clock
) -> None:
    await accept(admin, "api", clock)
    async with settings("api").client(max_connections=1) as client:
        await client.set("signalink:limit:x", "1")
        before = await clients(admin, "api")
        clock.now += RENEW_SECONDS - 1
        await accept(admin, "api", clock, clock.now + 1)
        signed = await auths(admin)
        await client.set("signalink:limit:x", "2")
        assert await auths(admin) == signed
        clock.now += 1
        await client.set("signalink:limit:x", "3")
        assert await auths(admin) == signed + 1
        await client.set("signalink:limit:x", "4")
        assert (await auths(admin), await clients(admin, "api")) == (signed + 1, before)


async def auths(admin: Admin) -> int:
    """How often anybody sent AUTH."""
    found = await admin.info("commandstats")
    return int(found.get("cmdstat_auth", {"calls": 0})["calls"])


async def test_a_refused_renewal_of_redis_py_is_a_new_connection(admin: Admin, settings: Any, clock: Clock) -> None:
    await accept(admin, "api", clock)
    async with settings("api").client(max_connections=1) as client:
        await client.set("signalink:limit:x", "1")
        before = await clients(admin, "api")
        clock.now += RENEW_SECONDS
        with pytest.raises(redis.exceptions.AuthenticationError):
            await client.set("signalink:limit:x", "2")
        await accept(admin, "api", clock)
        await client.set("signalink:limit:x", "3")
        assert not before & await clients(admin, "api")


async def test_a_subscribed_gateway_signs_in_again_and_misses_no_message(
    admin: Admin, settings: Any, clock: Clock
) -> None:
    for name in ("api", "gateway"):
        await accept(admin, name, clock)
    seen: list[bytes] = []
    lost: list[bool] = []
    channel = ids.uuid7()
    subscriber = Subscriber(
        settings("gateway"), on_event=lambda _, payload: seen.append(payload), on_lost=lambda: lost.append(True)
    )
    async with subscriber, Publisher(settings("api")) as publisher:
        subscriber.attach(channel)
        await eventually(lambda: subscriber.attached(channel))
        living = await clients(admin, "gateway")
        signed = await auths(admin)
        for hour in range(1, 37):
            for name in ("api", "gateway"):
                await accept(admin, name, clock, clock.now, clock.now + HOUR)
            clock.now += HOUR
            publisher.publish([event(channel, hour)])
            await eventually(lambda hour=hour: len(seen) == hour, within=30)
        # The subscriber at 11, 22 and 33 h; the publisher, which connected with its first event, an hour later each.
        await eventually(lambda: counted(admin, signed + 6), within=30)
        assert not lost and subscriber.attached(channel)
        assert await clients(admin, "gateway") == living, "the connection of the first hour"
        assert publisher.dropped == 0


async def counted(admin: Admin, wanted: int) -> bool:
    return await auths(admin) == wanted


async def test_without_a_token_the_subscription_stays_and_it_is_tried_again_in_a_minute(
    admin: Admin, settings: Any, clock: Clock, pod: Identity, capsys: pytest.CaptureFixture[str]
) -> None:
    await accept(admin, "gateway", clock)
    lost: list[bool] = []
    async with Subscriber(
        settings("gateway"), on_event=lambda *_: None, on_lost=lambda: lost.append(True)
    ) as subscriber:
        await eventually(lambda: subscriber.connected)
        pod.refuses, role = True, aws.role()
        role._session = None  # its keys have ended
        signed = await auths(admin)
        clock.now += RENEW_SECONDS
        await eventually(lambda: "redis_token_missing" in capsys.readouterr().out, within=30)
        assert subscriber.connected and not lost
        pod.refuses = False
        await accept(admin, "gateway", clock, clock.now + RETRY_SECONDS)
        clock.now += RETRY_SECONDS
        await eventually(lambda: counted(admin, signed + 1), within=30)
        assert subscriber.connected and not lost


async def test_a_refused_token_ends_the_subscription_and_the_next_one_attaches_anew(
    admin: Admin, settings: Any, clock: Clock
) -> None:
    await accept(admin, "gateway", clock)
    attached: list[Any] = []
    lost: list[bool] = []
    channel = ids.uuid7()
    async with Subscriber(
        settings("gateway"),
        on_event=lambda *_: None,
        on_attached=attached.append,
        on_lost=lambda: lost.append(True),
    ) as subscriber:
        subscriber.attach(channel)
        await eventually(lambda: attached == [channel])
        clock.now += RENEW_SECONDS
        await eventually(lambda: lost == [True], within=30)
        await accept(admin, "gateway", clock)
        await eventually(lambda: attached == [channel, channel], within=30)


async def test_the_limiter_signs_in_again_while_it_counts(admin: Admin, settings: Any, clock: Clock) -> None:
    await accept(admin, "api", clock)
    window = Window("signalink:limit:{x}:0", "signalink:limit:{x}:1", 1000, 60)
    async with Windows(settings("api")) as windows:
        assert await windows.take([window]) == 0
        before = await clients(admin, "api")
        clock.now += RENEW_SECONDS
        await accept(admin, "api", clock)
        signed = await auths(admin)

        async def counted_and_signed() -> bool:
            assert await windows.take([window]) == 0
            return await counted(admin, signed + 1)

        await eventually(counted_and_signed, within=30)
        assert await windows.take([window]) == 0
        assert (await auths(admin), await clients(admin, "api")) == (signed + 1, before)


async def test_a_certificate_of_another_authority_or_for_another_name_is_refused(
    valkey: ValkeyServer, authority: Authority, settings: Any
) -> None:
    other = Authority(Path(tempfile.mkdtemp(dir=authority.folder)))
    for context, trusted in (
        (authority.server(), other.ca_file),
        (authority.server("cache.example.org"), authority.ca_file),
    ):
        async with tls_front(valkey.engine.port, context) as front:
            asked = settings("api").model_copy(
                update={"url": f"rediss://lab-api@{LOOPBACK}:{front}/0", "ca_file": trusted}
            )
            async with asked.client() as client:
                with pytest.raises(redis.exceptions.ConnectionError, match="certificate verify failed"):
                    await client.ping()
            async with Subscriber(asked, on_event=lambda *_: None) as subscriber:
                assert not subscriber.connected
