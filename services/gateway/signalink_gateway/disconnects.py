"""Why a socket is closed: every close code the gateway sends, with what its range tells the client to do.

4000-4099 reconnect with backoff · 4100-4199 reconnect with new credentials · 4400-4499 do not reconnect · below 4000
the codes of RFC 6455. `docs/api/close-codes.md` carries `table()`; a test compares them and another provokes each code.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Disconnect:
    """`reason` is sent with the close frame when the caller gives none of its own."""

    code: int
    name: str
    reason: str
    when: str

    @property
    def advice(self) -> str:
        """What a client does next, from the range alone."""
        if 4000 <= self.code < 4100:
            return "reconnect with backoff"
        if 4100 <= self.code < 4200:
            return "get new credentials, then reconnect"
        return "do not reconnect"


NORMAL = Disconnect(1000, "normal", "", "answer to the client's own close")
PROTOCOL_ERROR = Disconnect(1002, "protocol_error", "protocol error", "a frame RFC 6455 forbids, as an unmasked one")
UNSUPPORTED = Disconnect(1003, "unsupported", "send text frames", "a binary frame")
BAD_TEXT = Disconnect(1007, "bad_text", "text must be UTF-8", "text or a close reason that is not UTF-8")
POLICY = Disconnect(1008, "policy", "too many frames", "a flood of frames far over the rate, or endless fragments")
TOO_LARGE = Disconnect(1009, "too_large", "message too large", "a message above 64 KB, all fragments together")
DRAINING = Disconnect(4000, "draining", "this node stops", "the node drains; `draining` came before")
SLOW = Disconnect(4001, "slow", "reading too slowly", "1 MB unread, 10 s without progress, or the node's bound reached")
NODE_RESTART = Disconnect(4002, "node_restart", "this node restarts", "the node stops without a drain")
PING_TIMEOUT = Disconnect(4003, "ping_timeout", "two pings without an answer", "the client answers no pings")
UNAVAILABLE = Disconnect(4004, "unavailable", "cannot verify now", "neither Redis nor keys can be asked")
TOKEN_EXPIRED = Disconnect(4100, "token_expired", "the token expired", "the token ran out and no `auth` refreshed it")
TICKET_USED = Disconnect(4101, "ticket_used", "the ticket is used or expired", "a ticket used, late or unknown")
BAD_FRAME = Disconnect(4400, "bad_frame", "not a command", "text that is not a JSON object with a known `op`")
UNAUTHORISED = Disconnect(4401, "unauthorised", "not authenticated", "no, a wrong or a revoked token; silence for 5 s")
FORBIDDEN = Disconnect(4403, "forbidden", "not for this origin or user", "a ticket of another origin or another user")
TOO_MANY_SESSIONS = Disconnect(4409, "too_many_sessions", "too many sockets", "more sockets than one user may have")
BANNED = Disconnect(4410, "banned", "the account is disabled", "the user was disabled")

ALL = (
    NORMAL, PROTOCOL_ERROR, UNSUPPORTED, BAD_TEXT, POLICY, TOO_LARGE,
    DRAINING, SLOW, NODE_RESTART, PING_TIMEOUT, UNAVAILABLE,
    TOKEN_EXPIRED, TICKET_USED,
    BAD_FRAME, UNAUTHORISED, FORBIDDEN, TOO_MANY_SESSIONS, BANNED,
)  # fmt: skip


def table() -> str:
    """The Markdown table of the document."""
    rows = [f"| {d.code} | `{d.name}` | {d.when} | {d.advice} |" for d in ALL]
    return "\n".join(["| code | name | sent when | the client should |", "|---|---|---|---|", *rows])
