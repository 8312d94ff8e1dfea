"""Public keys over HTTP: fetches the api's JWKS, caches it, and asks again for an unknown kid at most once a minute."""

import asyncio
import time
from collections.abc import Callable

import httpx
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signalink_core.auth.keys import parse_jwks
from signalink_core.errors import DependencyUnavailable
from signalink_core.lifecycle import Lifecycle
from signalink_core.telemetry.logging import get_logger

CACHE_SECONDS = 600.0
UNKNOWN_KID_SECONDS = 60.0
FAILED_SECONDS = 1.0
TIMEOUT = httpx.Timeout(10.0, connect=2.0)
LARGEST_BYTES = 64 * 1024
log = get_logger(__name__)


class JwksClient(Lifecycle):
    """A KeySource. Keys it holds stay usable while the api is away; before the first fetch, DependencyUnavailable.

    A known key never waits for the network: it is answered at once and refreshed behind after 10 minutes.
    """

    def __init__(
        self,
        url: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._url = url
        self._transport = transport
        self._clock = clock
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched_at: float | None = None
        self._next_fetch = float("-inf")
        self._fetching = asyncio.Lock()
        self._http: httpx.AsyncClient | None = None

    async def _start(self) -> None:
        self._http = await self.enter(
            httpx.AsyncClient(timeout=TIMEOUT, transport=self._transport, trust_env=False, follow_redirects=False)
        )

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        known = self._keys.get(kid)
        if known is None:
            await self._fetch_if_due()
            if self._fetched_at is None:
                raise DependencyUnavailable("The signing keys could not be fetched.", retry_after=FAILED_SECONDS)
            return self._keys.get(kid)
        if self._due() and self._old() and not self._fetching.locked():
            self.spawn(self._fetch_if_due(), "jwks-refresh")
        return known

    def _due(self) -> bool:
        return self._clock() >= self._next_fetch

    def _old(self) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at > CACHE_SECONDS

    async def _fetch_if_due(self) -> None:
        async with self._fetching:
            if self._due():
                await self._fetch()

    async def _fetch(self) -> None:
        try:
            self._keys = parse_jwks(orjson.loads(await self._download()))
        except (httpx.HTTPError, ValueError) as error:
            self._next_fetch = self._clock() + FAILED_SECONDS
            log.warning("jwks_fetch_failed", url=self._url, error=f"{type(error).__name__}: {error}")
        else:
            self._fetched_at = self._clock()
            self._next_fetch = self._fetched_at + UNKNOWN_KID_SECONDS

    async def _download(self) -> bytes:
        if self._http is None:
            raise RuntimeError("JwksClient is not started; use `async with`")
        async with self._http.stream("GET", self._url) as response:
            response.raise_for_status()
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) > LARGEST_BYTES:
                    raise ValueError(f"the document is larger than {LARGEST_BYTES} bytes")
        return body
