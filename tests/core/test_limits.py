"""The limiter on a real Valkey under the api's own principal, and without it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from signalink_core import faults
from signalink_core.errors import RateLimited
from signalink_core.guard.limits import KEY_PREFIX, Limiter, LocalBuckets, network_of
from signalink_core.guard.rules import Rule, Rules
from signalink_core.settings import LimitSettings, ProcessSettings, RedisSettings
from signalink_core.telemetry import metrics, names
from signalink_core.testing import eventually
from signalink_stacks.local.testing import ValkeyServer

RULES = Rules.of(LimitSettings())
EVERY = [getattr(RULES, name) for name in Rules.__dataclass_fields__]
NOWHERE = RedisSettings(url="redis://api@127.0.0.1:1/0")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def limiter(valkey: ValkeyServer) -> AsyncIterator[Limiter]:
    async with Limiter(valkey.settings("api")) as made:
        yield made
        assert not made.degraded


async def allowed(limiter: Limiter, rule: Rule, key: object, hits: int) -> int:
    passed = 0
    for _ in range(hits):
        try:
            await limiter.hit(rule, key)
        except RateLimited:
            continue
        passed += 1
    return passed


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.scope)
async def test_each_rule_passes_its_amount_and_refuses_the_next(limiter: Limiter, rule: Rule) -> None:
    slow = Rule(rule.scope, rule.amount, max(rule.seconds, 60))  # so that no window ends in mid-test
    await asyncio.gather(*(limiter.hit(slow, "key") for _ in range(slow.amount)))
    with pytest.raises(RateLimited) as caught:
        await limiter.hit(slow, "key")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 1
    await limiter.hit(slow, "another key")


async def test_a_window_ends(limiter: Limiter) -> None:
    rule = Rule("posts_user", 2, 1)
    assert await allowed(limiter, rule, "key", 4) == 2
    began = time.monotonic()

    async def free() -> bool:
        return await allowed(limiter, rule, "key", 1) == 1

    assert await eventually(free, within=5)
    assert time.monotonic() - began < 3


async def test_processes_share_one_count(valkey: ValkeyServer, limiter: Limiter) -> None:
    rule = Rule("posts_user", 10, 60)
    async with Limiter(valkey.settings("api")) as other:
        passed = await allowed(limiter, rule, "key", 7) + await allowed(other, rule, "key", 7)
    assert passed == 10


async def test_the_gateway_may_count_too(valkey: ValkeyServer) -> None:
    async with Limiter(valkey.settings("gateway")) as limiter:
        await limiter.hit(RULES.connects_ip, "192.0.2.1", transport="websocket")
        assert not limiter.degraded


async def test_keys_are_hashed_and_end_by_themselves(valkey: ValkeyServer, limiter: Limiter) -> None:
    await limiter.hit(RULES.login_account, "ada@example.org")
    async with valkey.settings().client() as admin:
        keys = await admin.keys("*")
        assert keys
        for key in keys:
            assert key.startswith(KEY_PREFIX.encode())
            assert b"ada" not in key
            assert 0 < await admin.pttl(key) <= 120_000


async def test_a_refusal_is_counted_by_scope_and_transport(limiter: Limiter) -> None:
    before = metrics.value(names.RATE_LIMITED_TOTAL, scope="posts_user", transport="websocket")
    rule = Rule("posts_user", 1, 60)
    await limiter.hit(rule, "key")
    with pytest.raises(RateLimited):
        await limiter.hit(rule, "key", transport="websocket")
    assert metrics.value(names.RATE_LIMITED_TOTAL, scope="posts_user", transport="websocket") == before + 1


async def test_many_at_once_share_a_connection_and_are_counted_one_by_one(limiter: Limiter) -> None:
    rule = Rule("posts_channel", 200, 60)
    results = await asyncio.gather(*(limiter.hit(rule, "key") for _ in range(300)), return_exceptions=True)
    assert sum(result is None for result in results) == 200
    assert not limiter.degraded


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.scope)
async def test_without_redis_each_rule_holds_locally(rule: Rule) -> None:
    async with Limiter(NOWHERE, clock=Clock()) as limiter:
        assert await allowed(limiter, rule, "key", rule.amount + 5) == rule.amount
        assert limiter.degraded


async def test_without_redis_each_replica_takes_its_share() -> None:
    async with Limiter(NOWHERE, replicas=4, clock=Clock()) as limiter:
        assert await allowed(limiter, Rule("posts_channel", 200, 1), "key", 200) == 50
        assert await allowed(limiter, Rule("login_account", 2, 60), "key", 5) == 1


async def test_redis_is_asked_again_after_a_second(valkey: ValkeyServer) -> None:
    clock = Clock()
    faults.here.configure(ProcessSettings(faults="on"))
    try:
        async with Limiter(valkey.settings("api"), clock=clock) as limiter:
            faults.here.put({"point": "redis.command", "action": "error", "count": 1})
            await limiter.hit(RULES.posts_user, "key")
            assert limiter.degraded
            clock.now += 1
            await limiter.hit(RULES.posts_user, "key")
            assert not limiter.degraded
    finally:
        faults.here.configure(ProcessSettings(faults="off"))


async def test_a_black_hole_costs_one_timeout_a_second_not_one_a_request() -> None:
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        ended.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with Limiter(RedisSettings(url=f"redis://127.0.0.1:{port}/0"), clock=Clock()) as limiter:
            began = time.monotonic()
            assert await allowed(limiter, Rule("posts_user", 10, 1), "key", 20) == 10
            assert time.monotonic() - began < 0.5 * 1.5
        await ended.wait()


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_client_is_counted_by_its_network(address: str, counted: str) -> None:
    assert network_of(address) == counted


async def test_addresses_of_one_ipv6_network_share_a_count() -> None:
    async with Limiter(NOWHERE, clock=Clock()) as limiter:
        rule = Rule("connects_ip", 2, 1)
        assert [await allowed(limiter, rule, f"2001:db8::{n}", 1) for n in range(3)] == [1, 1, 0]
        assert await allowed(limiter, rule, "2001:db8:0:1::1", 1) == 1
        assert [await allowed(limiter, Rule("posts_user", 1, 1), f"2001:db8::{n}", 1) for n in range(2)] == [1, 1]


def test_a_local_bucket_fills_again_at_its_rate() -> None:
    clock = Clock()
    buckets = LocalBuckets(1, clock)
    rule = Rule("login_account", 5, 60)
    assert sum(buckets.allow(rule, "key") for _ in range(10)) == 5
    clock.now += 12
    assert [buckets.allow(rule, "key") for _ in range(2)] == [True, False]
    clock.now += 60
    assert sum(buckets.allow(rule, "key") for _ in range(10)) == 5


def test_local_buckets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signalink_core.guard.limits.LOCAL_KEYS", 10)
    buckets = LocalBuckets(1, Clock())
    for n in range(100):
        assert buckets.allow(RULES.posts_user, str(n))
    assert len(buckets._full_at) == 10


async def test_hits_of_one_request_stop_at_the_first_that_is_refused(valkey: ValkeyServer, limiter: Limiter) -> None:
    wide, narrow, last = Rule("requests_user", 5, 60), Rule("posts_user", 1, 60), Rule("posts_channel", 5, 60)
    hits = [(wide, "key"), (narrow, "key"), (last, "key")]
    await limiter.hit_each(hits)
    for _ in range(3):
        with pytest.raises(RateLimited, match="posts_user"):
            await limiter.hit_each(hits)
    assert await allowed(limiter, wide, "key", 5) == 1
    assert await allowed(limiter, last, "key", 5) == 4


async def test_without_redis_hits_of_one_request_stop_at_the_first_that_is_refused() -> None:
    async with Limiter(NOWHERE, clock=Clock()) as limiter:
        hits = [(Rule("posts_user", 1, 60), "key"), (Rule("posts_channel", 5, 60), "key")]
        await limiter.hit_each(hits)
        with pytest.raises(RateLimited, match="posts_user"):
            await limiter.hit_each(hits)
        assert await allowed(limiter, Rule("posts_channel", 5, 60), "key", 9) == 4


async def test_a_script_that_redis_forgot_is_sent_again(valkey: ValkeyServer, limiter: Limiter) -> None:
    rule = Rule("posts_user", 3, 60)
    await limiter.hit(rule, "key")
    async with valkey.settings().client() as admin:
        await admin.script_flush()
    assert await allowed(limiter, rule, "key", 5) == 2


async def test_a_cut_connection_costs_one_local_second_and_is_made_again(valkey: ValkeyServer) -> None:
    clock = Clock()
    async with Limiter(valkey.settings("api"), clock=clock) as limiter, valkey.settings().client() as admin:
        await limiter.hit(RULES.posts_user, "key")
        await admin.client_kill_filter(user="api")

        async def noticed() -> bool:
            await limiter.hit(Rule("posts_user", 1_000_000, 1), "another")
            return limiter.degraded or limiter._shared._wire is not wire

        wire = limiter._shared._wire
        assert await eventually(noticed, within=5)
        clock.now += 1
        await limiter.hit(RULES.posts_user, "key")
        assert not limiter.degraded
