"""The token of an open socket, kept small: it is needed again when the client posts, and 10,000 sockets hold one each.

A JWT is base64 of JSON in which only ids, times and the signature differ: about 170 bytes instead of 480.
"""

import base64
import binascii
import zlib
from typing import Final

_COMMON: Final = (
    b'{"alg":"EdDSA","kid":"","typ":"JWT","typ":"at+jwt"}'
    b'{"iss":"signalink","aud":"signalink-api","aud":"signalink-socket","sub":"01","sid":"01",'
    b'"iat":17,"nbf":17,"exp":17,"jti":"","origin":"http://127.0.0.1:8000"}'
)
"""What most tokens contain; better guesses only make the result smaller."""
_WINDOW, _LEVEL, _MEMORY = -9, 9, 1
_AS_IT_IS: Final = b"\x00"
_PACKED: Final = b"\x01"


def pack(token: str) -> bytes:
    """Any text; what is no JWT in its shortest spelling is kept as it is."""
    parts = [_decoded(part) for part in token.split(".")]
    if len(parts) == 3 and all(part is not None and len(part) < 1 << 16 for part in parts):
        header, payload, signature = (part or b"" for part in parts)
        sizes = len(header).to_bytes(2) + len(payload).to_bytes(2)
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zdict=_COMMON)
        return _PACKED + sizes + packer.compress(header + payload) + packer.flush() + signature
    return _AS_IT_IS + token.encode("utf-8", "surrogatepass")


def unpack(kept: bytes) -> str:
    """The token, letter by letter."""
    if kept[:1] == _AS_IT_IS:
        return kept[1:].decode("utf-8", "surrogatepass")
    at, size = int.from_bytes(kept[1:3]), int.from_bytes(kept[3:5])
    unpacker = zlib.decompressobj(_WINDOW, zdict=_COMMON)
    text = unpacker.decompress(kept[5:])
    parts = (text[:at], text[at : at + size], unpacker.unused_data)
    return ".".join(_encoded(part) for part in parts)


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _decoded(part: str) -> bytes | None:
    """None for anything that would not be spelled the same again."""
    try:
        found = base64.urlsafe_b64decode(part.encode() + b"=" * (-len(part) % 4))
    except (binascii.Error, UnicodeEncodeError):
        return None
    return found if _encoded(found) == part else None
