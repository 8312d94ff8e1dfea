"""The two bots: their accounts, their private channel, and a socket of each at every gateway. All of it is found again
after a restart, since names and passwords are made from one secret; the channel is made once.

They are users like any other. From a machine's own address they would use up what the limits let its people register,
so on loopback they speak from another one of its addresses.
"""

import asyncio
import contextlib
import hashlib
import hmac
import socket
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from signalink_core.client import ApiClient, ApiProblem, ClientError, SocketClient
from signalink_core.client.api import TIMEOUT
from signalink_core.lifecycle import Lifecycle, full_jitter
from signalink_core.telemetry import logging
from signalink_prober.views import View

BOTS = ("a", "b")
LOOPBACK, OWN_LOOPBACK = "127.0.0.1", "127.0.0.2"
LONGEST_PAUSE_SECONDS = 30.0
PAGE = 100

log = logging.get_logger(__name__)


class Bots(Lifecycle):
    """`ready` when both are signed in and their sockets are kept open; `views[bot][gateway]` what they have shown."""

    def __init__(self, secret: str, *, api_url: str, gateways: tuple[str, ...], origin: str | None) -> None:
        super().__init__()
        self._secret, self._api_url, self._gateways, self._origin = secret, api_url, gateways, origin
        self.ready = asyncio.Event()
        self.problem = "not signed in yet"
        self.clients: dict[str, ApiClient] = {}
        self.channel = ""
        self.views: dict[str, dict[str, View]] = {bot: {} for bot in BOTS}
        self._sockets: list[tuple[View, SocketClient]] = []

    async def _start(self) -> None:
        transport = httpx.AsyncHTTPTransport(local_address=own_address(self._api_url))
        http = await self.enter(httpx.AsyncClient(timeout=TIMEOUT, transport=transport, trust_env=False))
        self.clients = {bot: ApiClient(self._api_url, http=http) for bot in BOTS}
        self.spawn(self._prepare(), "bots")

    async def _prepare(self) -> None:
        attempt = 0
        while not self.ready.is_set():
            attempt += 1
            try:
                for bot in BOTS:
                    await self._sign_in(bot)
                self.channel = await self._find_channel()
                await self._open_sockets()
            except ClientError as error:
                self.problem = str(error)
                pause = max(
                    getattr(error, "retry_after", None) or 0.0, full_jitter(attempt, 0.2, LONGEST_PAUSE_SECONDS)
                )
                log.info("bots_not_ready", reason=str(error), pause_seconds=round(pause, 1))
                await asyncio.sleep(pause)
            else:
                self.ready.set()

    async def _sign_in(self, bot: str) -> None:
        client, name = self.clients[bot], self._word(f"name-{bot}")[:12]
        if client.user:
            return
        account = f"canary-{name}", self._word(f"password-{bot}")
        try:
            await client.login(*account)
        except ApiProblem as problem:
            if problem.status != 401:
                raise
            with contextlib.suppress(ApiConflict):
                await _register(client, account[0], f"{account[0]}@canary.invalid", account[1])
            await client.login(*account)

    def _word(self, purpose: str) -> str:
        return hmac.new(self._secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    async def _find_channel(self) -> str:
        slug = f"canary-{self._word('channel')[:12]}"
        owner, other = (self.clients[bot] for bot in BOTS)
        found = await _mine(owner, slug)
        if found is None:
            found = await owner.create_channel(slug, "Canary", "private", history="all")
        channel = str(found["id"])
        await owner.add_member(channel, str(other.user["id"]))
        return channel

    async def _open_sockets(self) -> None:
        for bot, client in self.clients.items():
            for url in self._gateways:
                view = self.views[bot][url] = View(self.channel)
                self._sockets.append((view, await self.enter(self._socket(client, url, view))))
        for _, client_socket in self._sockets:
            await client_socket.subscribe({self.channel: None})

    def _socket(self, client: ApiClient, url: str, view: View) -> SocketClient:
        return SocketClient(
            url,
            lambda: client.ticket(self._origin),
            on_frame=lambda raw: view.frame(orjson.loads(raw), time.monotonic()),
            origin=self._origin,
            proxy=False,
        )

    def notice_closed(self) -> None:
        """Tell the views whose socket is not open now."""
        for view, client_socket in self._sockets:
            if not client_socket.connected:
                view.closed()


class ApiConflict(ClientError):
    """The account is there already: a registration whose answer was lost."""


async def _register(client: ApiClient, name: str, email: str, password: str) -> None:
    try:
        await client.register(name, email, password, "Canary")
    except ApiProblem as problem:
        if problem.status != 409:
            raise
        raise ApiConflict(problem.detail) from problem


async def _mine(client: ApiClient, slug: str) -> Mapping[str, Any] | None:
    cursor: str | None = None
    while True:
        page = await client.my_channels(limit=PAGE, **({} if cursor is None else {"cursor": cursor}))
        for channel in page["items"]:
            if channel["slug"] == slug:
                return dict(channel)
        cursor = page["next"]
        if cursor is None:
            return None


def own_address(api_url: str) -> str | None:
    """Another address of this machine, for an api on loopback; None elsewhere, or where there is none."""
    if urlsplit(api_url).hostname not in {LOOPBACK, "localhost"}:
        return None
    with socket.socket() as probe:
        try:
            probe.bind((OWN_LOOPBACK, 0))
        except OSError:
            return None
    return OWN_LOOPBACK
