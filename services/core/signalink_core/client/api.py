"""The HTTP side of the client: sessions, channels, messages, tickets.

Owns turning answers into typed outcomes (done, refused, unknown) and repeating what may be repeated: reads, joins and
posts under one client_id. It owns no limits: a 429 is waited out as its Retry-After says, never raised past.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import httpx
import orjson

from signalink_core.client.errors import ApiProblem, ClientError, NotConnected, OutcomeUnknown
from signalink_core.ids import uuid7
from signalink_core.lifecycle import full_jitter

TIMEOUT = httpx.Timeout(10.0, connect=2.0)
"""Seconds."""
ATTEMPTS = 3
LONGEST_WAIT_SECONDS = 60.0
"""A Retry-After above this is not waited out: the problem is raised."""

Outcome = Literal["invoke", "ok", "fail", "info"]
Observer = Callable[[Outcome, ClientError | None], None]
"""Told of every attempt of a post: `invoke`, then how it ended and with which error (`info`: unknown)."""


@dataclass(frozen=True)
class Posted:
    """An acknowledged message."""

    id: str
    channel_id: str
    seq: int
    epoch: int
    replayed: bool


class ApiClient:
    """One user's session with the api. Give `http` to share a connection pool; it is then not closed here."""

    def __init__(self, base_url: str, *, http: httpx.AsyncClient | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self.user: Mapping[str, Any] = {}
        self._own = http is None
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT)
        self._access = ""
        self._refresh = ""
        self._refreshing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._own:
            await self._http.aclose()

    async def register(
        self, username: str, email: str, password: str, display_name: str | None = None
    ) -> Mapping[str, Any]:
        """Create the account; answers the user. A second try after an unknown outcome may meet `conflict`."""
        body = {"username": username, "email": email, "password": password}
        if display_name is not None:
            body["display_name"] = display_name
        return _mapping((await self._call("POST", "/v1/auth/register", body))["user"])

    async def login(self, username: str, password: str) -> Mapping[str, Any]:
        """Open a session; answers the user. The tokens stay in this object."""
        body = {"username": username, "password": password}
        self._keep(await self._call("POST", "/v1/auth/login", body, headers={"X-Signalink-Client": "cli"}))
        return self.user

    @property
    def access_token(self) -> str:
        """For the other services, which take the api's tokens; empty before `login`."""
        return self._access

    async def refresh(self) -> None:
        """Rotate the refresh token for a new access token; one rotation serves all that wait for it."""
        before = self._access
        async with self._refreshing:
            if self._access == before:
                body = {"refresh_token": self._refresh}
                self._keep(await self._call("POST", "/v1/auth/refresh", body, headers={"X-Signalink-Client": "cli"}))

    def _keep(self, answer: Mapping[str, Any]) -> None:
        self._access = answer["access_token"]
        self._refresh = answer.get("refresh_token", self._refresh)
        self.user = answer.get("user", self.user)

    async def me(self) -> Mapping[str, Any]:
        return await self._repeat("GET", "/v1/users/me")

    async def ticket(self, origin: str | None = None) -> str:
        """Answer a ticket for one handshake; it lives 30 s."""
        answer = await self._repeat("POST", "/v1/ws-tickets", {"origin": origin} if origin else {})
        return str(answer["ticket"])

    async def create_channel(self, slug: str, name: str, kind: str = "public", **more: Any) -> Mapping[str, Any]:
        return await self._authorised("POST", "/v1/channels", {"slug": slug, "name": name, "kind": kind, **more})

    async def open_direct(self, user_id: str) -> Mapping[str, Any]:
        """Answer the direct channel with a user; opening it again is harmless."""
        return await self._repeat("POST", "/v1/direct", {"user_id": user_id})

    async def register_device(self, push_token: str, name: str = "") -> Mapping[str, Any]:
        """Have notifications pushed to a device of this user; again is harmless."""
        return await self._repeat("PUT", "/v1/users/me/devices", {"push_token": push_token, "name": name})

    async def channel(self, channel_id: str) -> Mapping[str, Any]:
        return await self._repeat("GET", f"/v1/channels/{channel_id}")

    async def my_channels(self, **query: Any) -> Mapping[str, Any]:
        """One page of the channels this user is in: `limit`, `cursor`."""
        return await self._repeat("GET", "/v1/channels/mine", query=query)

    async def add_member(self, channel_id: str, user_id: str) -> None:
        """Adding a member again is harmless."""
        await self._repeat("POST", f"/v1/channels/{channel_id}/members", {"user_id": user_id})

    async def join(self, channel_id: str) -> Mapping[str, Any]:
        """Become a member; joining twice is harmless."""
        return await self._repeat("POST", f"/v1/channels/{channel_id}/join")

    async def leave(self, channel_id: str) -> Mapping[str, Any]:
        return await self._repeat("POST", f"/v1/channels/{channel_id}/leave")

    async def post_message(
        self,
        channel_id: str,
        body: str,
        *,
        client_id: str | None = None,
        attempts: int = ATTEMPTS,
        observer: Observer | None = None,
        **more: Any,
    ) -> Posted:
        """Post until there is an answer: the same client_id makes every repetition the same message.

        Raises ApiProblem (refused), OutcomeUnknown or NotConnected when the attempts are used up.
        """
        document = {"client_id": client_id or str(uuid7()), "body": body, **more}
        told = observer or (lambda outcome, error: None)
        for attempt in range(1, attempts + 1):
            told("invoke", None)
            try:
                posted = await self._post(channel_id, document)
            except ClientError as error:
                wait = _retry_wait(error, attempt)
                told("info" if isinstance(error, OutcomeUnknown) else "fail", error)
                if attempt == attempts or wait is None:
                    raise
                await asyncio.sleep(wait)
            else:
                told("ok", None)
                return posted
        raise ValueError(f"attempts must be at least 1, not {attempts}")

    async def _post(self, channel_id: str, document: Mapping[str, Any]) -> Posted:
        response = await self._send_authorised("POST", f"/v1/channels/{channel_id}/messages", document)
        answer = orjson.loads(response.content)
        replayed = response.status_code == 200
        return Posted(answer["id"], answer["channel_id"], answer["seq"], answer["epoch"], replayed)

    async def messages(self, channel_id: str, **query: Any) -> Mapping[str, Any]:
        """List messages: `before`, `after` or `around` a seq, `limit`."""
        return await self._repeat("GET", f"/v1/channels/{channel_id}/messages", query=query)

    async def events(self, channel_id: str, after: int = 0, limit: int = 100) -> Mapping[str, Any]:
        """Answer {epoch, last_seq, events} above a seq."""
        return await self._repeat("GET", f"/v1/channels/{channel_id}/events", query={"after": after, "limit": limit})

    async def _repeat(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """Call what may be repeated."""
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._authorised(method, path, body, query=query)
            except ClientError as error:
                wait = _retry_wait(error, attempt)
                if wait is None:
                    raise
                await asyncio.sleep(wait)
        return await self._authorised(method, path, body, query=query)

    async def _authorised(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        return _document(await self._send_authorised(method, path, body, query=query))

    async def _send_authorised(
        self, method: str, path: str, body: Any, *, query: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """Send with the access token; once more with a fresh one when it has expired."""
        try:
            return await self._send(method, path, body, query=query, headers=self._bearer())
        except ApiProblem as problem:
            if problem.status != 401 or not self._refresh:
                raise
        await self.refresh()
        return await self._send(method, path, body, query=query, headers=self._bearer())

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._access}"}

    async def _call(
        self, method: str, path: str, body: Any, *, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        return _document(await self._send(method, path, body, headers=headers))

    async def _send(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        content = None if body is None else orjson.dumps(body)
        all_headers = {"Content-Type": "application/json", **(headers or {})} if content else dict(headers or {})
        try:
            response = await self._http.request(
                method, self.base_url + path, content=content, params=query, headers=all_headers
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
            raise NotConnected(f"{self.base_url} cannot be reached: {exc!r}") from exc
        except httpx.TransportError as exc:
            raise OutcomeUnknown(type(exc).__name__, str(exc)) from exc
        if response.is_success:
            return response
        raise _refusal(response)


def _refusal(response: httpx.Response) -> ClientError:
    """A 5xx leaves open what happened; everything else is a plain no."""
    try:
        document = _mapping(orjson.loads(response.content))
    except (orjson.JSONDecodeError, TypeError):
        document = {"code": "unreadable", "detail": response.text[:200]}
    wait = _seconds(response.headers.get("Retry-After"))
    if response.status_code >= 500:
        code, detail = str(document.get("code", "unreadable")), str(document.get("detail", ""))
        return OutcomeUnknown(code, detail, wait, response.status_code)
    return ApiProblem(response.status_code, document, wait)


def _retry_wait(error: ClientError, attempt: int) -> float | None:
    """Answer the seconds before the next attempt; None when another one cannot help."""
    asked = getattr(error, "retry_after", None)
    if isinstance(error, ApiProblem) and error.status not in (408, 425, 429):
        return None
    if asked is not None and asked > LONGEST_WAIT_SECONDS:
        return None
    return max(asked or 0.0, full_jitter(attempt))


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None


def _document(response: httpx.Response) -> Mapping[str, Any]:
    return _mapping(orjson.loads(response.content)) if response.content else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"expected a JSON object, not {type(value).__name__}")
    return value
