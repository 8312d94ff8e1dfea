"""One client socket after its handshake: who it is, what it subscribed to, what waits to be written, its limits.

Owns the bytes on their way out and the close. Fan-out appends to `out`; `hub` decides what; `protocol` owns the
transport and feeds commands. There is no task per session but while it resumes or sends.
"""

import asyncio
import sys
import time
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from signalink_core import clock, ids
from signalink_core.auth.tokens import Claims
from signalink_gateway import disconnects, frames, kept
from signalink_gateway.channel import Subscription
from signalink_gateway.disconnects import Disconnect

if TYPE_CHECKING:
    from signalink_gateway.forwarding import Sends
    from signalink_gateway.gateway import Gateway
    from signalink_gateway.recovery import Work

BEHIND_BYTES = 262_144
DRAINED_BYTES = 65_536
SLOW_BYTES = 1_048_576
SLOW_SECONDS = 10.0
ABORT_SECONDS = 1.0
FLOOD_FACTOR = 10
"""A client that sends this many seconds' worth of frames above its rate is cut off."""

encode = msgspec.json.Encoder(uuid_format="canonical").encode


class Session:
    """`behind`: the transport holds more than 256 KB; no event is queued until it drained below 64 KB."""

    __slots__ = (
        "_credit", "_credit_at", "_token", "behind", "claims", "closed", "dirty", "gateway", "id", "ip", "missed",
        "number", "opened", "origin", "out", "ping_at", "progress_at", "sends", "subscriptions", "transport",
        "unwritten", "work",
    )  # fmt: skip

    def __init__(self, gateway: "Gateway", number: int, transport: asyncio.Transport, origin: str, ip: str) -> None:
        self.gateway, self.number, self.transport = gateway, number, transport
        self.origin, self.ip = sys.intern(origin), sys.intern(ip)  # few different ones among many sockets
        self.id: UUID = ids.uuid7()
        self.claims: Claims | None = None
        self._token = b""
        self.subscriptions: dict[UUID, Subscription] = {}
        self.out: list[bytes] | None = None
        self.dirty = self.behind = self.opened = False
        self.closed: Disconnect | None = None
        self.work: Work | None = None
        self.sends: Sends | None = None
        self.missed = 0
        self.ping_at = 0.0
        self.unwritten = 0
        self.progress_at = 0.0
        self._credit = 2.0 * gateway.limits.commands_per_second_per_socket
        self._credit_at = time.monotonic()
        transport.set_write_buffer_limits(high=BEHIND_BYTES, low=DRAINED_BYTES)

    @property
    def user(self) -> UUID | None:
        return self.claims.sub if self.claims is not None else None

    @property
    def token(self) -> str:
        """What the client proved itself with, for posting in its name."""
        return kept.unpack(self._token)

    def welcome(self, claims: Claims, token: str) -> None:
        """The client proved who it is."""
        self.claims, self._token, self.opened = claims, kept.pack(token), True
        limits = self.gateway.limits
        self.say(
            op="welcome",
            session=self.id,
            node=self.gateway.node,
            heartbeat_ms=int(self.gateway.ping_seconds * 1000),
            limits={
                "message_bytes": frames.MAX_BYTES,
                "commands_per_second": limits.commands_per_second_per_socket,
                "subscriptions": limits.subscriptions_per_socket,
            },
            server_time=clock.isoformat(clock.utc_now()),
        )

    def renew(self, claims: Claims, token: str, ref: object) -> None:
        """In-band `auth` replaced the credentials."""
        self.claims, self._token = claims, kept.pack(token)
        self.say(op="authenticated", ref=ref, expires_at=clock.isoformat(claims.exp))

    def say(self, **frame: object) -> None:
        """One frame for this client alone; a `ref` of None is left out."""
        if frame.get("ref", 0) is None:
            del frame["ref"]
        self.put(frames.text_frame(encode(frame)))

    def put(self, frame: bytes) -> None:
        """Bytes for the next write of this turn of the loop."""
        if self.closed is None:
            self.queue(frame)
            self.gateway.fanout.touch(self)

    def queue(self, frame: bytes) -> None:
        """As `put`, for who touches the session itself. An idle session holds no empty list."""
        if self.out is None:
            self.out = [frame]
        else:
            self.out.append(frame)

    def write_out(self) -> None:
        """One write for everything that waits."""
        out, self.out, self.dirty = self.out, None, False
        if out and not self.transport.is_closing():
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))

    def buffered(self) -> int:
        """Bytes that the kernel did not take yet."""
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    def fall_behind(self) -> None:
        """The transport holds more than it should: every subscription looks closer at its next delivery."""
        self.behind = True
        self.unwritten, self.progress_at = self.buffered(), time.monotonic()
        for subscription in self.subscriptions.values():
            subscription.odd = True
        self.gateway.watch(self)

    def drain(self) -> None:
        """The transport drained: whatever stopped goes on."""
        self.behind = False
        if self.work is not None:
            self.work.drained.set()

    def too_slow(self, now: float) -> bool:
        """Over 1 MB, or no byte taken for 10 s. Asked while behind."""
        unwritten = self.buffered()
        if unwritten < self.unwritten:
            self.progress_at = now
        self.unwritten = unwritten
        return unwritten > SLOW_BYTES or now - self.progress_at > SLOW_SECONDS

    def spend(self) -> bool:
        """One frame of the client against its rate; False: refuse it. A flood ends the socket."""
        rate = self.gateway.limits.commands_per_second_per_socket
        now = time.monotonic()
        self._credit = min(2.0 * rate, self._credit + (now - self._credit_at) * rate) - 1.0
        self._credit_at = now
        if self._credit < -FLOOD_FACTOR * rate:
            self.close(disconnects.POLICY)
        return bool(self._credit >= 0)

    def close(self, why: Disconnect, reason: str | None = None) -> None:
        """Says why, then ends the connection: at the client's answer, at the latest after 1 s. Twice is once."""
        if self.closed is not None:
            return
        self.put(frames.close_frame(why.code, why.reason if reason is None else reason))
        self.closed = why
        self.gateway.forget(self, why.code)
        self.write_out()
        if why is disconnects.SLOW:
            self.transport.close()
        asyncio.get_running_loop().call_later(ABORT_SECONDS, self.transport.abort)
