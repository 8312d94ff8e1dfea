"""Principal x operation on a real Valkey, allow and deny, and proof that the matrix would see a table that is wrong."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import pytest
import redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from signalink_core import principals
from signalink_stacks.local.testing import ValkeyServer

EVENTS = "signalink:events:01900000-0000-7000-8000-000000000001"
TYPING = "signalink:typing:01900000-0000-7000-8000-000000000001"
TICKET, LIMIT, PRESENCE = "signalink:ticket:ab", "signalink:limit:{posts/ab}", "signalink:presence:ab"
CLIENTS = {"api", "relay", "gateway", "analytics", "notifications", "prober"}
LIMITED = {"api", "gateway", "analytics", "notifications"}
# operation -> (command, who may)
OPERATIONS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "publish an event": (("PUBLISH", EVENTS, "x"), {"api"}),
    "follow events": (("SUBSCRIBE", EVENTS), {"gateway"}),
    "wake the relay": (("PUBLISH", "signalink:log", ""), {"api"}),
    "be woken": (("SUBSCRIBE", "signalink:log"), {"relay"}),
    "publish heads": (("PUBLISH", "signalink:heads", "[]"), {"relay"}),
    "follow heads": (("SUBSCRIBE", "signalink:heads"), {"gateway"}),
    "hint at a revocation": (("PUBLISH", "signalink:revocations", ""), {"api"}),
    "follow revocations": (("SUBSCRIBE", "signalink:revocations"), {"gateway"}),
    "publish presence": (("PUBLISH", "signalink:presence", "x"), {"gateway"}),
    "follow presence": (("SUBSCRIBE", "signalink:presence"), {"gateway"}),
    "say who types": (("PUBLISH", TYPING, "x"), {"gateway"}),
    "follow who types": (("SUBSCRIBE", TYPING), {"gateway"}),
    "follow everything": (("PSUBSCRIBE", "*"), set()),
    "write a ticket": (("SET", TICKET, "x", "PX", "30000"), {"api"}),
    "take a ticket": (("GETDEL", TICKET), {"gateway"}),
    "read a ticket": (("GET", TICKET), set()),
    "delete a ticket": (("DEL", TICKET), set()),
    "count a limit": (("INCRBY", LIMIT, "1"), LIMITED),
    "count by script": (("EVALSHA", "0" * 40, "1", LIMIT), LIMITED),
    "load a script": (("SCRIPT", "LOAD", "return 1"), LIMITED),
    "forget scripts": (("SCRIPT", "FLUSH"), set()),
    "write presence": (("HSET", PRESENCE, "a", "1"), {"gateway"}),
    "read presence": (("HGETALL", PRESENCE), {"gateway", "notifications"}),
    "read some presence": (("HMGET", PRESENCE, "a", "b"), {"gateway", "notifications"}),
    "see whether a node lives": (("EXISTS", PRESENCE), {"gateway", "notifications"}),
    "beat": (("SET", PRESENCE, "1", "PX", "9000", "GET"), {"gateway"}),
    "take presence away": (("HDEL", PRESENCE, "a"), {"gateway"}),
    "clear a node away": (("DEL", PRESENCE), {"gateway"}),
    "let presence expire": (("PEXPIRE", PRESENCE, "60000"), {"gateway"}),
    "scan presence": (("HSCAN", PRESENCE, "0"), set()),
    "write elsewhere": (("SET", "other", "1"), set()),
    "read elsewhere": (("GET", "other"), set()),
    "list keys": (("KEYS", "*"), set()),
    "watch others": (("MONITOR",), set()),
    "forget everything": (("FLUSHALL",), set()),
    "read the configuration": (("CONFIG", "GET", "*"), set()),
    "change rights": (("ACL", "SETUSER", "api", "+@all"), set()),
    "stop the server": (("SHUTDOWN",), set()),
    "read figures": (("INFO",), {"prober"}),
    "ping": (("PING",), CLIENTS),
}


@contextmanager
def admin(valkey: ValkeyServer) -> Iterator["redis.Redis"]:
    word = valkey.engine.password_file(principals.ADMIN).read_text()
    with redis.Redis(port=valkey.engine.port, username=principals.ADMIN, password=word, socket_timeout=5) as client:
        yield client


def allowed(client: "redis.Redis", user: str, command: tuple[str, ...]) -> bool:
    """What the server itself would decide."""
    return bool(client.execute_command("ACL", "DRYRUN", user, *command) == b"OK")


def differences(client: "redis.Redis", user_of: dict[str, str]) -> set[tuple[str, str]]:
    """(principal, operation) where the server decides otherwise than the matrix."""
    return {
        (principal, operation)
        for principal, (operation, (command, may)) in product(sorted(user_of), OPERATIONS.items())
        if allowed(client, user_of[principal], command) != (principal in may)
    }


def test_every_principal_may_do_exactly_what_the_table_says(valkey: ValkeyServer) -> None:
    assert set(principals.redis_principals()) == CLIENTS | {principals.ADMIN}
    with admin(valkey) as client:
        assert differences(client, {name: name for name in CLIENTS}) == set()


@pytest.mark.parametrize(("rules", "least"), [("-@all", 10), ("~* &* +@all", 100)])
def test_the_matrix_sees_a_table_that_allows_nothing_or_everything(
    valkey: ValkeyServer, rules: str, least: int
) -> None:
    with admin(valkey) as client:
        client.execute_command("ACL", "SETUSER", "weak", "reset", "on", *rules.split())
        found = differences(client, dict.fromkeys(CLIENTS, "weak"))
        client.execute_command("ACL", "DELUSER", "weak")
    assert len(found) > least


async def test_default_and_strangers_get_nothing(valkey: ValkeyServer) -> None:
    once = Retry(NoBackoff(), 0)
    for user in ("default", "operator", "owner", "stranger"):
        client = redis.asyncio.Redis(port=valkey.engine.port, username=user, password="guess", retry=once)
        with pytest.raises(redis.exceptions.AuthenticationError):
            await asyncio.wait_for(client.ping(), 20)
        await client.aclose()
