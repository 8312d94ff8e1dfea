"""WebSocket frames as bytes (RFC 6455), without any I/O: a reader for what clients send, headers for what we send.

An outgoing frame is built once per node and the same bytes object goes to every socket. Incoming frames are judged as
soon as their header is known, so an oversized or binary frame is refused before its body is buffered.
"""

from typing import Final, NamedTuple

from websockets.speedups import apply_mask

CONT: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10
VIOLATION: Final = -1
"""Not an opcode: the reader found a violation and stopped."""

MAX_BYTES = 65_536
"""Largest incoming message, all fragments together."""
MAX_FRAGMENTS = 1_024
"""Per message; without it empty fragments never end (RFC 6455 sets no bound)."""

PROTOCOL_ERROR: Final = 1002
UNSUPPORTED: Final = 1003
BAD_TEXT: Final = 1007
POLICY: Final = 1008
TOO_LARGE: Final = 1009
NO_STATUS: Final = 1005
"""Never sent: stands for a close frame without a code."""


class Frame(NamedTuple):
    """`text` messages are whole and valid UTF-8; a violation carries the close code and the reason."""

    opcode: int
    data: bytes = b""
    code: int = 0


class _Refused(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def text_frame(payload: bytes) -> bytes:
    """One unmasked text frame."""
    return _header(TEXT, len(payload)) + payload


def payload_of(frame: bytes) -> bytes:
    """The payload of one unmasked frame, as `text_frame` made it."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


def control_frame(opcode: int, payload: bytes = b"") -> bytes:
    """A ping, pong or close frame; at most 125 bytes of payload."""
    return _header(opcode, len(payload)) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; a reason longer than 123 bytes is cut at a character."""
    if code == NO_STATUS:
        return control_frame(CLOSE)
    return control_frame(CLOSE, code.to_bytes(2, "big") + reason.encode()[:123].decode(errors="ignore").encode())


def _header(opcode: int, length: int) -> bytes:
    first = 0x80 | opcode
    if length < 126:
        return bytes((first, length))
    if length < 65_536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")


class FrameReader:
    """Feed bytes as they come, take whole messages and control frames; after a violation or a close it is deaf."""

    __slots__ = ("_buffer", "_fragments", "_message", "_need", "deaf")

    def __init__(self) -> None:
        self._buffer: bytearray | None = None
        self._need = 2
        self._message: bytearray | None = None
        self._fragments = 0
        self.deaf = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames completed by `data`, in order; a violation is the last of them."""
        if self.deaf:
            return []
        buffer = bytearray(data) if self._buffer is None else self._buffer
        if buffer is self._buffer:
            buffer += data
        found: list[Frame] = []
        try:
            at = self._read(buffer, found)
        except _Refused as refused:
            found.append(Frame(VIOLATION, refused.reason.encode(), refused.code))
            self.deaf = True
        if self.deaf:
            self._buffer = self._message = None
        elif at == len(buffer):
            self._buffer, self._need = None, 2
        else:
            del buffer[:at]
            self._buffer = buffer
        return found

    def _read(self, buffer: bytearray, found: list[Frame]) -> int:
        """Consumes whole frames; returns how many bytes they took. `_need`: bytes that the next one takes at least."""
        at = 0
        while not self.deaf and len(buffer) - at >= self._need:
            first, second = buffer[at], buffer[at + 1]
            extended = {126: 2, 127: 8}.get(second & 0x7F, 0)
            head = 2 + extended + 4
            if len(buffer) - at < 2 + extended:
                self._need = 2 + extended
                break
            length = int.from_bytes(buffer[at + 2 : at + 2 + extended], "big") if extended else second & 0x7F
            self._judge(first, second, length, extended)
            if len(buffer) - at < head + length:
                self._need = head + length
                break
            mask = bytes(buffer[at + head - 4 : at + head])
            payload = apply_mask(bytes(buffer[at + head : at + head + length]), mask)
            at += head + length
            self._need = 2
            self._accept(first, payload, found)
        return at

    def _judge(self, first: int, second: int, length: int, extended: int) -> None:
        """Everything that can be refused from the header alone."""
        opcode = first & 0x0F
        if first & 0x70:
            raise _Refused(PROTOCOL_ERROR, "reserved bits must be 0: no extension was agreed")
        if not second & 0x80:
            raise _Refused(PROTOCOL_ERROR, "frames from a client must be masked")
        if (extended == 2 and length < 126) or (extended == 8 and (length < 65_536 or length >> 63)):
            raise _Refused(PROTOCOL_ERROR, "the length is not in its shortest form")
        if opcode >= CLOSE:
            self._judge_control(opcode, first, length)
        elif opcode == BINARY:
            raise _Refused(UNSUPPORTED, "send text frames: binary is not understood")
        elif opcode not in (CONT, TEXT):
            raise _Refused(PROTOCOL_ERROR, f"opcode {opcode} is reserved")
        elif (opcode == CONT) != (self._message is not None):
            raise _Refused(PROTOCOL_ERROR, "continuation expected" if opcode else "nothing to continue")
        elif length + len(self._message or b"") > MAX_BYTES:
            raise _Refused(TOO_LARGE, f"a message may have {MAX_BYTES} bytes")
        elif self._fragments >= MAX_FRAGMENTS:
            raise _Refused(POLICY, f"a message may have {MAX_FRAGMENTS} fragments")

    def _judge_control(self, opcode: int, first: int, length: int) -> None:
        if opcode > PONG:
            raise _Refused(PROTOCOL_ERROR, f"opcode {opcode} is reserved")
        if not first & 0x80 or length > 125:
            raise _Refused(PROTOCOL_ERROR, "control frames are whole and have at most 125 bytes")

    def _accept(self, first: int, payload: bytes, found: list[Frame]) -> None:
        opcode, final = first & 0x0F, first & 0x80
        if opcode == CLOSE:
            found.append(_closing(payload))
            self.deaf = True
        elif opcode > CLOSE:
            found.append(Frame(opcode, payload))
        elif final and self._message is None:
            found.append(Frame(TEXT, _text(payload)))
        else:
            self._collect(payload, bool(final), found)

    def _collect(self, payload: bytes, final: bool, found: list[Frame]) -> None:
        self._message = (self._message if self._message is not None else bytearray()) + payload
        self._fragments += 1
        if final:
            found.append(Frame(TEXT, _text(bytes(self._message))))
            self._message, self._fragments = None, 0


def _text(payload: bytes) -> bytes:
    try:
        payload.decode()
    except UnicodeDecodeError as exc:
        raise _Refused(BAD_TEXT, f"text must be UTF-8: {exc.reason} at byte {exc.start}") from exc
    return payload


def _closing(payload: bytes) -> Frame:
    """A close frame with its code; the codes that must not appear on the wire are violations."""
    if not payload:
        return Frame(CLOSE, b"", NO_STATUS)
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise _Refused(PROTOCOL_ERROR, "the close code is not one that may be sent")
    return Frame(CLOSE, _text(payload[2:]), code)
