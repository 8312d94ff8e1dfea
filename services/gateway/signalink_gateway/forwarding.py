"""Forwards `send` to the api with the socket's own token, in order per channel and socket, and answers ack or nack.

Nothing is decided here: the api judges rights, limits and repeats. What may or may not have happened is told as
`unknown_outcome`; the client repeats with the same client_id, which is safe for ever.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import msgspec

from signalink_core import lifecycle
from signalink_core.telemetry import logging, trace
from signalink_gateway.commands import Send
from signalink_gateway.session import Session

PENDING_PER_SESSION = 64
PENDING_PER_NODE = 4_096
CONNECTIONS = 64
TIMEOUT = httpx.Timeout(10.0, connect=2.0, pool=5.0)
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

log = logging.get_logger(__name__)


@dataclass(slots=True)
class Sends:
    """What one session sent and what is not answered yet."""

    pending: int = 0
    queues: dict[UUID, deque[Send]] = field(default_factory=dict)


class Answer(msgspec.Struct):
    """What an ack needs of the api's message."""

    id: UUID
    seq: int
    epoch: int


class Problem(msgspec.Struct):
    code: str = "internal"
    detail: str = ""


class Forwarder(lifecycle.Lifecycle):
    """At most 64 unanswered sends per session and 4,096 per node; one more is answered `busy` at once."""

    def __init__(self, api_url: str) -> None:
        super().__init__()
        self._api_url = api_url.rstrip("/")
        self.pending = 0

    async def _start(self) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._client = await self.enter(
            httpx.AsyncClient(base_url=self._api_url, timeout=TIMEOUT, limits=limits, trust_env=False)
        )

    def send(self, session: Session, command: Send) -> None:
        """Queues behind the session's earlier sends to the same channel."""
        sends = session.sends = session.sends or Sends()
        if sends.pending >= PENDING_PER_SESSION or self.pending >= PENDING_PER_NODE:
            _nack(session, command, "busy", "Too many sends wait for an answer: wait for acks, then repeat.")
            return
        sends.pending += 1
        self.pending += 1
        queue = sends.queues.get(command.channel)
        if queue is not None:
            queue.append(command)
            return
        sends.queues[command.channel] = deque([command])  # bound: PENDING_PER_SESSION, checked above
        self.spawn(self._run(session, sends, command.channel), "send-forwarding")

    async def _run(self, session: Session, sends: Sends, channel: UUID) -> None:
        """One at a time, so that the api sees them in order. A closed session's sends are still carried out."""
        queue = sends.queues[channel]
        try:
            while queue:
                command = queue.popleft()
                try:
                    await self._forward(session, command)
                except Exception:
                    log.exception("forward_failed", session=str(session.id))
                    _nack(session, command, "unknown_outcome", "The gateway failed: repeat with the same client_id.")
                sends.pending -= 1
                self.pending -= 1
        finally:
            self.pending -= len(queue)
            del sends.queues[channel]

    async def _forward(self, session: Session, command: Send) -> None:
        headers = {
            "authorization": f"Bearer {session.token}",
            "content-type": "application/json",
            "traceparent": trace.new_traceparent(),
            "x-forwarded-for": session.ip,
        }
        try:
            response = await self._client.post(
                f"/v1/channels/{command.channel}/messages", content=_body(command), headers=headers
            )
        except NOT_SENT as exc:
            _nack(session, command, "unavailable", f"The api cannot be reached ({type(exc).__name__}): repeat later.")
            return
        except httpx.HTTPError as exc:
            why = f"No answer from the api ({type(exc).__name__}): repeat with the same client_id."
            _nack(session, command, "unknown_outcome", why)
            return
        if response.status_code in (200, 201):
            answer = msgspec.json.decode(response.content, type=Answer)
            session.say(
                op="ack", ref=command.ref, client_id=command.client_id, id=answer.id, seq=answer.seq, epoch=answer.epoch
            )
        else:
            _refused(session, command, response)


def _body(command: Send) -> bytes:
    fields: dict[str, Any] = {"client_id": command.client_id, "body": command.body}
    for name in ("reply_to", "format", "metadata"):
        if (value := getattr(command, name)) is not None:
            fields[name] = value
    return msgspec.json.Encoder().encode(fields)


def _refused(session: Session, command: Send, response: httpx.Response) -> None:
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except msgspec.DecodeError:
        problem = Problem(detail=f"status {response.status_code}")
    code = problem.code
    if response.status_code >= 500:
        code = "unknown_outcome"
    _nack(session, command, code, problem.detail, response.headers.get("retry-after"))


def _nack(session: Session, command: Send, code: str, detail: str, retry_after: str | None = None) -> None:
    frame: dict[str, Any] = {"op": "nack", "ref": command.ref, "client_id": command.client_id}
    frame |= {"code": code, "detail": detail}
    if retry_after is not None and retry_after.isdigit():
        frame["retry_after_ms"] = int(retry_after) * 1000
    session.say(**frame)
