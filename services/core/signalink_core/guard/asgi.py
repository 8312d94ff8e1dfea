"""The guard as pure ASGI middleware for `http` and `websocket` scopes; the outermost layer of a public app.

Order: trusted proxy, host, size, connect or request limit per address, origin, then the app, then headers. It binds the
request id and the trace context, measures the request, and answers refusals and unexpected errors as problem documents.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Generator, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from signalink_core.errors import BadRequest, SignalinkError, TooLarge
from signalink_core.guard import controls, problems
from signalink_core.guard.rules import Rule, Rules
from signalink_core.guard.view import Transport, View
from signalink_core.telemetry import names
from signalink_core.telemetry import trace as tracing
from signalink_core.telemetry.logging import bound, get_logger
from signalink_core.telemetry.traced import Lines

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
log = get_logger(__name__)
done_lines = Lines()


class Limits(Protocol):
    async def hit(self, rule: Rule, key: object, *, transport: Transport) -> None: ...


class Owed:
    """The address's hit of one request, counted once: by the app together with its own, or by `pay`."""

    __slots__ = ("_hit", "_limits")

    def __init__(self, limits: Limits, rule: Rule, address: str) -> None:
        self._limits = limits
        self._hit: tuple[Rule, str] | None = (rule, address)

    def take(self) -> tuple[tuple[Rule, str], ...]:
        """The hit, for who counts it now; empty when it was counted."""
        hit, self._hit = self._hit, None
        return () if hit is None else (hit,)

    async def pay(self) -> None:
        """Count it if it was not. Raises RateLimited."""
        for rule, address in self.take():
            await self._limits.hit(rule, address, transport="http")


@dataclass(frozen=True, slots=True)
class Policy:
    """What one public app lets in. Empty `hosts`: any single host. `tls`: it is reached over TLS, so HSTS is sent."""

    rules: Rules
    origins: Collection[str] = ()
    hosts: Collection[str] = ()
    trusted_proxies: Sequence[controls.Network] = ()
    body_bytes: int = controls.BODY_BYTES
    body_seconds: float = 10.0  # from the app's first read to the body's end
    tls: bool = False
    defers: Callable[[Message], bool] = field(default=lambda _: False)
    """HTTP requests whose app counts the address's hit itself (`state["owed"]`), in one round trip with its own."""


@lru_cache(maxsize=1024)
def _durations(route: str, method: str, status: int) -> Any:
    """The series of one route, method and status: looking it up by labels costs more than counting."""
    return names.HTTP_SERVER_REQUEST_DURATION_SECONDS.labels(http_route=route, method=method, status=str(status))


class Guard:
    """ASGI. The app finds `request_id` and `client_ip` in `scope["state"]`."""

    def __init__(self, app: App, *, policy: Policy, limits: Limits) -> None:
        self._app = app
        self._policy = policy
        self._limits = limits

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        view = View.of_scope(scope)
        request_id = controls.request_id(view)
        span = tracing.begin(view.value("traceparent"))
        try:
            with bound(request_id=request_id):
                exchange = _Exchange(scope, receive, send, request_id, self._policy)
                await self._serve(view, exchange)
        finally:
            tracing.end(span)

    async def _serve(self, view: View, exchange: "_Exchange") -> None:
        try:
            address, owed = await self._admit(view, exchange.scope)
            exchange.scope["state"] = {
                **exchange.scope.get("state", {}),
                "request_id": exchange.request_id,
                "client_ip": address,
                "owed": owed,
            }
            await self._app(exchange.scope, exchange.receive, exchange.send)
            if owed is not None:
                await owed.pay()
        except SignalinkError as error:
            await exchange.refuse(error)
        except Exception as error:
            if exchange.refused:  # the app fell over the disconnect that a refusal in mid-body looks like
                return
            log.exception("request_crashed", method=view.method, error_type=type(error).__name__)
            await exchange.refuse(SignalinkError("The service made a mistake; the request id finds it in the log."))
        finally:
            exchange.measure(view)

    async def _admit(self, view: View, scope: Message) -> tuple[str, Owed | None]:
        policy = self._policy
        address = controls.client_ip(view, policy.trusted_proxies)
        controls.check_host(view, policy.hosts)
        controls.check_size(view, policy.body_bytes)
        rule = policy.rules.requests_ip if view.transport == "http" else policy.rules.connects_ip
        owed = Owed(self._limits, rule, address) if view.transport == "http" and policy.defers(scope) else None
        if owed is None:
            await self._limits.hit(rule, address, transport=view.transport)
        controls.check_origin(view, policy.origins)
        return address, owed


class _Step:
    """A `receive` that is begun at once and awaited only where it has to wait. `message` is set when it is done."""

    __slots__ = ("_first", "_receiving", "message")

    def __init__(self, receiving: Awaitable[Message]) -> None:
        self._receiving: Any = receiving.__await__()
        self._first: Any = None
        self.message: Message = {}

    def done(self) -> bool:
        """Runs it up to its first wait; whether there was none."""
        try:
            self._first = next(self._receiving)
        except StopIteration as end:
            self.message = end.value
            return True
        return False

    def __await__(self) -> Generator[Any, Any, None]:
        """Goes on from the first wait, in the same task."""
        self.message = yield from self

    def __iter__(self) -> "_Step":
        return self

    def __next__(self) -> Any:
        first, self._first = self._first, None
        return next(self._receiving) if first is None else first

    def throw(self, *error: Any) -> Any:
        """A cancel, at the first wait or later, goes to where it waits."""
        return self._receiving.throw(*error)


@dataclass(slots=True)
class _Exchange:
    """One request: counts the body, adds headers, answers once."""

    scope: Message
    _receive: Receive
    _send: Send
    request_id: str
    policy: Policy
    status: int = 0
    refused: bool = False
    _body_bytes: int = 0
    _body_ended: bool = False
    _body_due: float | None = None
    _began: float = field(default_factory=time.perf_counter)

    async def receive(self) -> Message:
        if self.refused:
            return {"type": f"{self.scope['type']}.disconnect"}
        if self.scope["type"] == "websocket" or self._body_ended:
            return await self._receive()
        limit, seconds = self.policy.body_bytes, self.policy.body_seconds
        if self._body_due is None:
            self._body_due = time.monotonic() + seconds  # the loop's own clock
        step = _Step(self._receive())
        try:
            if not step.done():  # mostly the body came with the head, and a timeout costs as much as the rest of this
                async with asyncio.timeout_at(self._body_due):
                    await step
        except TimeoutError:
            return await self._cut(BadRequest(f"The body did not arrive within {seconds:g} s."))
        message = step.message
        self._body_ended = not message.get("more_body", False)
        self._body_bytes += len(message.get("body", b""))
        if self._body_bytes > limit:
            return await self._cut(TooLarge(f"The body is larger than {limit} bytes.", limit_bytes=limit))
        return message

    async def _cut(self, error: SignalinkError) -> Message:
        """Answer in mid-body; for the app it looks as if the client had gone."""
        await self.refuse(error)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.refused:
            return
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            self.status = message["status"]
            message["headers"] = self._with_ours(list(message.get("headers", ())))
        elif message["type"] == "websocket.accept":
            self.status = 101
        await self._send(message)

    async def refuse(self, error: SignalinkError) -> None:
        """Answer with a problem document, unless the app began to answer."""
        if self.refused or self.status:
            return
        status, headers, body = problems.answer(error, self.request_id)
        if status < 500:
            log.debug("request_refused", status=status, code=error.code)
        kind = "http"
        if self.scope["type"] == "websocket":
            if "websocket.http.response" not in self.scope.get("extensions", {}):
                self.status, self.refused = 403, True
                await self._send({"type": "websocket.close", "code": 1008})
                return
            kind = "websocket.http"
        self.status, self.refused = status, True
        await self._send({"type": f"{kind}.response.start", "status": status, "headers": self._with_ours(headers)})
        await self._send({"type": f"{kind}.response.body", "body": body})

    def _with_ours(self, headers: problems.Headers) -> problems.Headers:
        """Security headers the app did not set itself, and the request id."""
        present = {name.lower() for name, _ in headers}
        ours = controls.SECURITY_HEADERS_TLS if self.policy.tls else controls.SECURITY_HEADERS
        if present.isdisjoint(controls.SECURITY_NAMES):
            headers += ours
        else:
            headers += [(name, value) for name, value in ours if name not in present]
        headers.append((b"x-request-id", self.request_id.encode()))
        return headers

    def measure(self, view: View) -> None:
        if self.scope["type"] != "http":
            return
        ids = tracing.current_ids()
        route = getattr(self.scope.get("route"), "path", "unmatched")
        method = view.method if view.method in METHODS else "other"
        seconds, status = time.perf_counter() - self._began, self.status or 499
        _durations(route, method, status).observe(seconds, {"trace_id": ids[0]} if ids else None)
        if done_lines.due():
            fields = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 2)}
            log.info("request_done", **fields, **done_lines.left_out())
