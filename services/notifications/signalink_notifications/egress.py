"""Which addresses a user's webhook may have: the URL's form, its name resolved once, every answer public.

Owns the table of addresses and the port to a resolver. `inspect` serves the check when an address is saved and the one
before each post, which then connects to the very address that was checked. Sending is `channels.webhook`'s.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import httpx

from signalink_core.errors import BadRequest, DependencyUnavailable

PORTS: Final = frozenset({443, 8443})
LONGEST_URL: Final = 2000
RESOLVE_SECONDS: Final = 3.0
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NOT_PUBLIC_V4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link local, metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_6TO4: Final = ipaddress.IPv6Network("2002::/16")


class Place(NamedTuple):
    """A host and a port."""

    host: str
    port: int


class Resolver(Protocol):
    """How a name becomes addresses; tests have one that rebinds."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Every address of the name; OSError when it has none."""
        ...


class SystemResolver:
    """The system's, which also reads /etc/hosts and the odd spellings of an address (127.1, 0x7f000001)."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        return [str(entry[4][0]) for entry in found]


class UrlRefused(BadRequest):
    """`reason`: form, scheme, port, credentials, name, address. Permanent, except that a name may change."""

    code = "url_refused"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail, reason=reason, next_step="use https on port 443 or 8443 of a public host.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Checked:
    """A URL that may be posted to: connect to `address` and nowhere else; `host` is for TLS and the Host header."""

    scheme: str
    host: str
    port: int
    address: str
    path: str

    @property
    def url(self) -> str:
        """With the address instead of the name."""
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{shown}:{self.port}{self.path}"

    @property
    def authority(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == 443 else f"{shown}:{self.port}"


def is_public(address: Address) -> bool:
    """Whether it is on the internet; an IPv4 address inside an IPv6 one is judged as itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    if address.scope_id is not None:
        return False
    if address in _MAPPED or address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address in _6TO4:
        return is_public(ipaddress.IPv4Address((int(address) >> 80) & 0xFFFFFFFF))
    return address in _PUBLIC_V6 and not any(address in network for network in _NOT_PUBLIC_V6)


def is_loopback(host: str) -> bool:
    """By name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Egress:
    """`inspect` with the resolver and the allowed places of this process."""

    resolver: Resolver
    allow: Collection[Place] = ()

    async def inspect(self, url: str) -> Checked:
        return await inspect(url, self.resolver, self.allow)


async def inspect(url: str, resolver: Resolver, allow: Collection[Place] = ()) -> Checked:
    """The address to connect to. UrlRefused says why not; DependencyUnavailable: the resolver does not answer now.

    `allow`: places on loopback that are let through, by http too (labs and tests).
    """
    parts = _parsed(url)
    host, scheme = parts.raw_host.decode("ascii").lower(), parts.scheme
    port = parts.port or (443 if scheme == "https" else 80)
    allowed = Place(host.strip("[]"), port) in allow
    if scheme != "https" and not (allowed and scheme == "http"):
        raise UrlRefused("scheme", "A webhook's address must begin with https://.")
    if port not in PORTS and not allowed:
        raise UrlRefused("port", f"A webhook's port must be 443 or 8443, not {port}.")
    addresses = await _resolved(host.strip("[]"), port, resolver)
    if not all(address.is_loopback if allowed else is_public(address) for address in addresses):
        raise UrlRefused("address", "The webhook's host has an address that is not public.")
    return Checked(scheme, host.strip("[]"), port, str(addresses[0]), parts.raw_path.decode("ascii"))


def _parsed(url: str) -> httpx.URL:
    """By the client's own parser, so that both see the same host."""
    if len(url) > LONGEST_URL or any(ord(sign) <= 0x20 or ord(sign) == 0x7F for sign in url) or "\\" in url:
        raise UrlRefused("form", "A webhook's address has at most 2,000 characters, no blanks and no backslashes.")
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise UrlRefused("form", "The webhook's address is no URL.") from error
    if not parts.raw_host:
        raise UrlRefused("form", "The webhook's address names no host.")
    if parts.userinfo:
        raise UrlRefused("credentials", "A webhook's address carries no user and no password.")
    return parts


async def _resolved(host: str, port: int, resolver: Resolver) -> list[Address]:
    """Once; every answer. What is no address at all counts as not public."""
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            answers = await resolver.resolve(host, port)
    except TimeoutError as error:
        raise DependencyUnavailable("The webhook's host could not be looked up in time.") from error
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise DependencyUnavailable("The webhook's host could not be looked up now.") from error
        raise UrlRefused("name", "The webhook's host does not exist.") from error
    except (OSError, UnicodeError) as error:
        raise UrlRefused("name", "The webhook's host does not exist.") from error
    try:
        found = [ipaddress.ip_address(answer) for answer in answers]
    except ValueError as error:
        raise UrlRefused("address", "The webhook's host has an address that is none.") from error
    if not found:
        raise UrlRefused("name", "The webhook's host has no address.")
    return found
