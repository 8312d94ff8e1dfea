"""The history format: one JSON line per thing that happened, and what its fields mean.

Owns the shape of a line, its encoding and the hash of a body. It leaves files to `recorder` and `reader`, and every
judgement to `checker`.

    {i, mono_ns, wall, proc, type, f, user, view, ch, key, id, seq, hash, node, code, kind, to, n, status, wait}

| f | type | says |
|---|---|---|
| send | invoke, ok, fail, info | a post: user, ch, key (client_id), hash; `ok` adds id, seq; `info`: outcome unknown |
| send | fail, info | also code and, where there was an answer, its status and wait (Retry-After, seconds) |
| recv | ok | one event of the bytes a socket received: user (the reader), view, ch, seq, id, hash, key, kind, node |
| read | ok | one event of an answer over HTTP: user, ch, seq, id, hash, key, kind; in no order of its own |
| resume | ok, info | a view reads channel ch after seq; the first one is where it starts; `info`: `gap` was received |
| member | ok | user is entitled to seq..to of ch (no `to`: still); several lines, several intervals |
| dump | note, ok | a row of the store `view` (postgres, kafka) in the store's order; `ok` ends the dump, n = rows |
| nemesis | note | code was done to node at this moment (`kill`, `pause`); n: requests in flight |
| nemesis | ok | its cause ended (code `heal`), or node was ready again (`back`) |
| probe | ok, info | what waits (code `pending`): n, milliseconds the oldest has waited; `info`: not to be measured |
| drain | invoke, ok, info | the wait at the end; `ok`: nothing was outstanding; per view, or for all without view |
| end | note | the file is complete |

`id` is the message's for message.created, else the event's; `key` of an edit or a deletion is the id of its message.
A timeout, a reset and any 5xx after the request was
written are `info`, never `fail`. Keys are unique in a whole history.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import orjson

Kind = Literal["invoke", "ok", "fail", "info", "note"]
Subject = Literal["send", "recv", "resume", "read", "edit", "member", "dump", "nemesis", "probe", "drain", "end"]

CREATED = "message.created"
EDITED = "message.edited"
DELETED = "message.deleted"


class Line(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One line; absent fields are None. Times: `mono_ns` orders lines of one host, `wall` is for people."""

    i: int
    mono_ns: int
    wall: str = ""
    proc: str
    type: Kind
    f: Subject
    user: str | None = None
    view: str | None = None
    ch: str | None = None
    key: str | None = None
    id: str | None = None
    seq: int | None = None
    hash: str | None = None
    node: str | None = None
    code: str | None = None
    kind: str | None = None
    to: int | None = None
    n: int | None = None
    status: int | None = None
    wait: float | None = None


_decoder = msgspec.json.Decoder(Line)
_encoder = msgspec.json.Encoder()


def decode(raw: bytes) -> Line:
    """Parse one line; raises `msgspec.DecodeError` (also for a line cut short)."""
    return _decoder.decode(raw)


def encode(line: Line) -> bytes:
    """Answer the line's JSON with its newline."""
    return _encoder.encode(line) + b"\n"


def text_hash(text: str) -> str:
    """Answer 16 hex digits of SHA-256 over a body's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


BLANK = text_hash("")
"""Hash of a body that a later deletion blanked."""


def data_hash(data: Mapping[str, Any]) -> str:
    """Answer the hash of an event's data: of its body where it has one, else of all of it, keys sorted."""
    if "body" in data:
        return text_hash(data["body"] or "")
    return hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def event_fields(event_id: str, event_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Answer id, key, kind and hash of an event for its `recv` or `dump` line."""
    kind = event_type.removeprefix("dev.signalink.")
    fields: dict[str, Any] = {"kind": kind, "id": event_id, "hash": data_hash(data)}
    if kind == CREATED:
        fields |= {"id": str(data["id"]), "key": data.get("client_id")}
    elif kind in (EDITED, DELETED):
        fields["key"] = str(data["id"])
    return fields
