"""Tickets in Redis: the key is a hash of the ticket, the value the socket's token; Redis forgets it after 30 s."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalink_core import faults
from signalink_core.bus import keys
from signalink_core.errors import DependencyUnavailable

LIFETIME_MS = 30_000


async def keep(redis: Redis, ticket: str, token: str) -> None:
    """DependencyUnavailable while Redis is away."""
    try:
        await faults.point("redis.command", command="ticket")
        await redis.set(keys.ticket_key(ticket), token, px=LIFETIME_MS)
    except (RedisError, OSError, TimeoutError) as error:
        raise DependencyUnavailable(
            "Tickets cannot be made while Redis is away.",
            retry_after=1.0,
            next_step='open the socket without one and send {"op": "auth", "token": <access token>} first.',
        ) from error
