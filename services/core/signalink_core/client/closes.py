"""What a client does after a socket ended, decided from the code alone.

Owns the ranges of the protocol: 4000-4099 reconnect with backoff, 4100-4199 reconnect with new credentials, 4400-4499
do not reconnect. Other codes follow RFC 6455; HTTP statuses of a refused handshake are judged by the same three words.
"""

from enum import Enum


class Advice(Enum):
    """Next step after an end."""

    BACKOFF = "reconnect with backoff"
    RENEW = "get new credentials, then reconnect"
    STOP = "do not reconnect"


OUR_FAULT = frozenset({1002, 1003, 1007, 1008, 1009, 1010})
"""Codes that say that this client broke a rule: it would break it again."""


def advice(code: int) -> Advice:
    """Judge a close code; an abnormal end (1006) and anything unknown are worth another try."""
    if 4100 <= code < 4200:
        return Advice.RENEW
    if 4400 <= code < 4500 or code in OUR_FAULT:
        return Advice.STOP
    return Advice.BACKOFF


def handshake_advice(status: int) -> Advice:
    """Judge the HTTP status of a refused handshake."""
    if status == 401:
        return Advice.RENEW
    if status in (408, 425, 429) or status >= 500:
        return Advice.BACKOFF
    return Advice.STOP
