"""An error as an HTTP answer: RFC 9457 problem document, status, headers; used by every edge."""

import math

import orjson

from signalink_core.errors import SignalinkError

Headers = list[tuple[bytes, bytes]]
MEDIA_TYPE = b"application/problem+json"


def answer(error: SignalinkError, request_id: str) -> tuple[int, Headers, bytes]:
    """(status, headers, body). Retry-After in whole seconds where the error knows it; Bearer challenge with 401."""
    body = orjson.dumps(error.problem(request_id), default=str)
    headers: Headers = [(b"content-type", MEDIA_TYPE), (b"content-length", str(len(body)).encode())]
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(retry_after))).encode()))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return error.status, headers, body
