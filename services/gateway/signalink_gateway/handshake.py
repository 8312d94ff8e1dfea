"""The upgrade request: everything that is judged before the 101, and the answer. No I/O.

Order: host, size, draining, path, origin, then what RFC 6455 asks; the connect limit is the caller's, because it asks
Redis. A ticket may come as subprotocol `ticket.<value>`; it is never echoed and never in a URL.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.exceptions import NegotiationError
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from signalink_core.errors import NotFound, SignalinkError
from signalink_core.guard import controls, problems
from signalink_core.guard.view import View

PATH = "/v1/socket"
SUBPROTOCOL = Subprotocol("signalink.v1")
TICKET = "ticket."
_QUIET = logging.getLogger("websockets.handshake")
_QUIET.setLevel(logging.WARNING)
"""The library writes a line per connection; ours are counted."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A request that may be answered with 101."""

    origin: str
    ticket: str | None
    answer: bytes


class Refused(Exception):
    """`answer`: the HTTP response to send before closing. `reason`: label of signalink_ws_rejected_total."""

    def __init__(self, reason: str, answer: bytes) -> None:
        super().__init__(reason)
        self.reason, self.answer = reason, answer


def view(request: bytes, peer: str) -> View:
    """The view of a complete request as uvicorn hands it over: valid request line and headers."""
    line, *lines = request.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, target = line.split(b" ")[:2]
    headers = [(name, value) for name, _, value in (item.partition(b": ") for item in lines)]
    return View.of("websocket", method.decode("latin-1"), target.decode("latin-1"), peer, headers)


def judge(request: bytes, seen: View, *, origins: Collection[str], hosts: Collection[str]) -> Upgrade:
    """Raises Refused with the answer of the first control that says no."""
    origin = _controls(seen, origins, hosts)
    protocol = ServerProtocol(extensions=None, select_subprotocol=_select, logger=_QUIET)
    protocol.receive_data(request)
    events = protocol.events_received()
    if not events or not isinstance(events[0], Request):
        raise Refused("headers", plain(400, "Bad Request", str(protocol.handshake_exc or "not a WebSocket request")))
    response = protocol.accept(events[0])
    protocol.send_response(response)
    answer = b"".join(protocol.data_to_send())
    if response.status_code != 101:
        raise Refused("version", answer)
    return Upgrade(origin, _ticket(seen), answer)


def _controls(seen: View, origins: Collection[str], hosts: Collection[str]) -> str:
    try:
        controls.check_host(seen, hosts)
    except SignalinkError as exc:
        raise Refused("host", problem(exc)) from exc
    try:
        controls.check_size(seen)
    except SignalinkError as exc:
        raise Refused("headers", problem(exc)) from exc
    if seen.path.partition("?")[0] != PATH:
        raise Refused("headers", problem(NotFound("Nothing is served here.", next_step=f"connect to {PATH}.")))
    if "?" in seen.path:
        raise Refused("credentials", plain(400, "Bad Request", "no query: credentials never go into a URL"))
    try:
        return controls.check_origin(seen, origins) or ""
    except SignalinkError as exc:
        raise Refused("origin", problem(exc)) from exc


def _offered(seen: View) -> list[str]:
    return [part.strip() for value in seen.values("sec-websocket-protocol") for part in value.split(",")]


def _ticket(seen: View) -> str | None:
    tickets = [part.removeprefix(TICKET) for part in _offered(seen) if part.startswith(TICKET)]
    return tickets[0] if tickets else None


def _select(_: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    if not offered:
        return None
    if SUBPROTOCOL not in offered:
        raise NegotiationError(f"offer the subprotocol {SUBPROTOCOL}")
    return SUBPROTOCOL


def problem(error: SignalinkError) -> bytes:
    """A whole HTTP response that carries a problem document."""
    status, headers, body = problems.answer(error, "")
    return _response(status, HTTPStatus(status).phrase, [(n.decode(), v.decode()) for n, v in headers], body)


def plain(status: int, phrase: str, text: str) -> bytes:
    return _response(status, phrase, [("content-type", "text/plain; charset=utf-8")], text.encode() + b"\n")


def _response(status: int, phrase: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    known = Headers(headers)
    if "content-length" not in known:
        known["content-length"] = str(len(body))
    known["connection"] = "close"
    return Response(status, phrase, known, body).serialize()
