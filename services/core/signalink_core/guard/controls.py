"""The controls as plain functions over a View: each returns what it found or raises an error of the core's tree."""

import re
from collections.abc import Collection, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from signalink_core.errors import BadRequest, HostRefused, OriginRefused, TooLarge
from signalink_core.guard.view import View
from signalink_core.ids import uuid7

Network = IPv4Network | IPv6Network
BODY_BYTES = 256 * 1024
HEADER_BYTES = 16 * 1024
MOST_PROXIES = 8
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
SECURITY_NAMES = frozenset(name for name, _ in SECURITY_HEADERS) | {b"strict-transport-security"}
HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
SECURITY_HEADERS_TLS = (*SECURITY_HEADERS, HSTS)


def networks(text: str) -> tuple[Network, ...]:
    """The networks of a comma list (`10.0.0.0/8, ::1`); ValueError names the wrong one."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def client_ip(view: View, trusted: Sequence[Network]) -> str:
    """The peer, or, through trusted proxies only, the address they report: the rightmost untrusted one."""
    current = view.peer
    reported = [part.strip() for value in view.values("x-forwarded-for") for part in value.split(",")]
    for hop in reversed(reported[-MOST_PROXIES:]):
        if not _within(current, trusted):
            break
        try:
            current = str(ip_address(hop))
        except ValueError:
            break
    return current


def check_host(view: View, allowed: Collection[str]) -> None:
    """The Host header names this service (port ignored). An empty `allowed` checks that there is exactly one."""
    host = view.value("host")
    if host is None:
        raise HostRefused("The request must carry exactly one Host header.")
    if allowed and _hostname(host) not in allowed:
        raise HostRefused("This host name is not served here.")


def hosts_of(*urls: str) -> frozenset[str]:
    """The host names to allow for a service that is reached by these addresses; loopback names are among them."""
    return LOOPBACK_HOSTS | {_hostname(urlsplit(url).netloc) for url in urls}


def check_size(view: View, body_bytes: int = BODY_BYTES, header_bytes: int = HEADER_BYTES) -> None:
    """Headers and the declared body length; a body of unknown length is counted while it is read."""
    if sum(len(name) + len(value) for name, value in view.headers) > header_bytes:
        raise TooLarge(f"The headers are larger than {header_bytes} bytes.", limit_bytes=header_bytes)
    declared = view.values("content-length")
    if not declared:
        return
    if len(declared) > 1 or not (declared[0].isascii() and declared[0].isdigit()):
        raise BadRequest("Content-Length must be one number.")
    if int(declared[0][:20]) > body_bytes:
        raise TooLarge(f"The body is larger than {body_bytes} bytes.", limit_bytes=body_bytes)


def check_origin(view: View, allowed: Collection[str]) -> str | None:
    """The origin, compared as a whole with the list. On a socket it is required; over HTTP only a browser sends it.

    Over HTTP a request that changes nothing may come from any page: the CORS answer decides whether that page reads it.
    """
    origins = view.values("origin")
    if not origins and view.transport == "http":
        return None
    if len(origins) == 1 and origins[0] in allowed:
        return origins[0]
    if view.transport == "http" and view.method in SAFE_METHODS:
        return None
    raise OriginRefused("This origin may not use this service.", next_step="add it to SIGNALINK_WS_ORIGINS if it may.")


def request_id(view: View) -> str:
    """The caller's X-Request-ID where it is 8 to 64 letters, digits, `_` or `-`; else a new id."""
    given = view.value("x-request-id")
    return given if given is not None and _REQUEST_ID.fullmatch(given) else str(uuid7())


def _hostname(host: str) -> str:
    return re.sub(r":\d+$", "", host.rsplit("@", 1)[-1]).lower()


def _within(address: str, trusted: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed.version == network.version and parsed in network for network in trusted)
