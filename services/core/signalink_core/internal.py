"""The internal port: /metrics, /healthz, /readyz; /faults where faults are on; /debug/NAME with its token; else 404.

/readyz is for load balancers: may it get traffic. /readyz?all is for those who watch: does all it needs answer.

It is a small ASGI app of its own, so that it answers even when the public app is broken.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from signalink_core import faults
from signalink_core.errors import BadRequest, ConfigurationError, NotFound, SignalinkError, TokenInvalid, TooLarge
from signalink_core.http import HttpServer
from signalink_core.readiness import Readiness
from signalink_core.settings import ProcessSettings, read_secret
from signalink_core.telemetry import metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, str, bytes]
View = Callable[[Mapping[str, str]], object]
"""What a process shows of itself: from the query's parameters to a JSON document. Raises SignalinkError."""
Unwell = Callable[[], str | None]
"""Why a process should be started anew although it answers; None: it should not."""
JSON = "application/json"
BODY_BYTES = 16 * 1024


class InternalServer(HttpServer):
    """Accepts on `process.host:process.metrics_port`. `views` are served as /debug/NAME where there is a token.

    `unwell` makes /healthz answer 503 with the reason it gives.
    """

    def __init__(
        self,
        process: ProcessSettings,
        readiness: Readiness,
        views: Mapping[str, View] | None = None,
        unwell: Unwell | None = None,
    ) -> None:
        token: str | None = None
        if process.faults == "on":
            token = read_secret(process.faults_token_file, "the fault control endpoint")
            if token is None:
                raise ConfigurationError(
                    "Fault points are on but their control endpoint has no token.",
                    next_step="set SIGNALINK_FAULTS_TOKEN_FILE.",
                )
        inspect = read_secret(process.inspect_token_file, "the inspection endpoint")
        app = InternalApp(readiness, token, views or {}, inspect, unwell)
        super().__init__(app, host=process.host, port=process.metrics_port, backlog=128)


class InternalApp:
    """ASGI. `faults_token` None leaves fault control out, `inspect_token` None the views."""

    def __init__(
        self,
        readiness: Readiness,
        faults_token: str | None,
        views: Mapping[str, View] | None = None,
        inspect_token: str | None = None,
        unwell: Unwell | None = None,
    ) -> None:
        self._readiness = readiness
        self._token = faults_token
        self._views = views or {}
        self._inspect_token = inspect_token
        self._unwell = unwell or (lambda: None)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            status, kind, body = await self._answer(scope, receive)
        except SignalinkError as error:
            status, kind, body = error.status, "application/problem+json", orjson.dumps(error.problem())
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        headers += [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        match scope["method"], scope["path"]:
            case "GET" | "HEAD", "/metrics":
                faults.here.report()  # ends what is past its ttl, so that fault_active is true
                body, kind = metrics.page(headers.get(b"accept", ""))
                return 200, kind, body
            case "GET" | "HEAD", "/healthz":
                why = self._unwell()
                return (200, JSON, b'{"live":true}') if why is None else (503, JSON, _not_live(why))
            case "GET" | "HEAD", "/readyz":
                good = self._readiness.whole if scope["query_string"] == b"all" else self._readiness.ready
                return 200 if good else 503, JSON, orjson.dumps(self._readiness.snapshot())
            case method, "/faults" if self._token is not None:
                _authenticate(headers, self._token, "Fault control")
                return await self._faults(method, scope["query_string"], receive)
            case "GET", path if self._inspect_token is not None and path.startswith("/debug/"):
                _authenticate(headers, self._inspect_token, "Inspection")
                return self._view(path.removeprefix("/debug/"), scope["query_string"])
        raise NotFound("Nothing is served here.")

    def _view(self, name: str, query: bytes) -> Answer:
        if name not in self._views:
            raise NotFound(f"This process shows: {', '.join(sorted(self._views)) or 'nothing'}.")
        return 200, JSON, orjson.dumps(self._views[name](dict(parse_qsl(query.decode("latin-1")))))

    async def _faults(self, method: str, query: bytes, receive: Receive) -> Answer:
        match method:
            case "PUT":
                faults.here.put(_json(await _body(receive)))
            case "DELETE":
                faults.here.clear(query.decode("latin-1").removeprefix("point=") if query else None)
            case "GET":
                pass
            case _:
                raise NotFound("Faults are read with GET, set with PUT, ended with DELETE.")
        return 200, JSON, orjson.dumps({"faults": faults.here.report()})


def _not_live(why: str) -> bytes:
    return orjson.dumps({"live": False, "why": why})


def _authenticate(headers: Mapping[bytes, str], token: str, what: str) -> None:
    if not hmac.compare_digest(headers.get(b"authorization", "").encode(), f"Bearer {token}".encode()):
        raise TokenInvalid("missing", f"{what} needs its bearer token.")


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error


async def _body(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_BYTES:
            raise TooLarge(f"The body is larger than {BODY_BYTES} bytes.")
        more = message.get("more_body", False)
    return body


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        step = (await receive())["type"]
        await send({"type": f"{step}.complete"})
        if step == "lifespan.shutdown":
            return
