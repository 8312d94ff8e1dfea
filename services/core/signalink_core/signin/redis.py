"""Who a Redis connection says it is, and when it has to say so again: at ElastiCache one that did not is cut at 12 h.

Owns the renewing on living connections of redis-py; `bus.wire` and `guard.windows` do it for their own by `Renewal`.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import SSLConnection, parse_url
from redis.credentials import CredentialProvider
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

RENEW_SECONDS: Final = 11 * 3600.0
"""An hour before ElastiCache would cut the connection."""
RETRY_SECONDS: Final = 60.0
"""After a renewal that did not come to an end; there are some sixty of these in that hour."""


class Login(CredentialProvider):
    """A user and the way to a fresh token. `clock` counts seconds, from anywhere."""

    def __init__(
        self, user: str, token: Callable[[], Awaitable[str]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.user, self.clock = user, clock
        self._token = token

    async def words(self) -> tuple[str, str]:
        """User and token. Raises SignInFailed, TimeoutError."""
        return self.user, await self._token()

    async def get_credentials_async(self) -> tuple[str, str]:
        """The same for redis-py, which cleans up after its own errors alone."""
        try:
            return await self.words()
        except OSError as error:
            raise RedisConnectionError(str(error) or "no token within the time") from error


class Renewal:
    """When one connection signs in again: made when it did, moved whenever it does."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.done()

    def due(self) -> bool:
        return self.login.clock() >= self._at

    def begun(self) -> None:
        """Not due for a minute, whatever comes of it."""
        self._at = self.login.clock() + RETRY_SECONDS

    def done(self) -> None:
        self._at = self.login.clock() + RENEW_SECONDS


class SignedConnection(SSLConnection):
    """redis-py's; taken from the pool after 11 h it signs in again before it is used."""

    _renewal: Renewal | None = None

    async def connect(self) -> None:
        if self.is_connected and self._renewal is not None and self._renewal.due():
            await self._again(self._renewal)
        await super().connect()  # type: ignore[no-untyped-call]

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        await super().on_connect_check_health(check_health=check_health)
        if isinstance(self.credential_provider, Login):
            self._renewal = Renewal(self.credential_provider)

    async def _again(self, renewal: Renewal) -> None:
        """A connection that cannot is closed, and made anew by whoever asked."""
        try:
            await self.send_command("AUTH", *await renewal.login.get_credentials_async(), check_health=False)
            await self.read_response()
            renewal.done()
        except (RedisError, OSError):
            await self.disconnect()
        except BaseException:  # cancelled: the answer would be taken for another command's
            await self.disconnect(nowait=True)
            raise


def client(url: str, login: Login, **options: Any) -> Redis:
    """A redis-py client that signs in by tokens; only TLS is spoken."""
    where = {key: value for key, value in parse_url(url).items() if key != "username"}
    made: dict[str, Any] = where | options | {"credential_provider": login, "connection_class": SignedConnection}
    return Redis.from_pool(ConnectionPool(**made))
