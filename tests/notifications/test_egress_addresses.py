"""Which addresses a webhook may have: every form of an address that is not public, in every place it can hide."""

import ipaddress
import socket
from collections.abc import Sequence

import pytest
from authorities import RebindingResolver
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.errors import DependencyUnavailable
from signalink_notifications.egress import Place, SystemResolver, UrlRefused, inspect, is_loopback, is_public

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
          "192.167.255.255", "198.17.255.255", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e",
          "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]  # fmt: skip
PRIVATE = ["0.0.0.0",  # noqa: S104
           "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
           "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1",
           "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
           "240.0.0.1", "255.255.255.255",
           "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
           "64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a00:1::1",
           "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1",
           "fe80::1%1", "fec0::1", "ff02::1", "100::1", "5f00::1", "4000::1"]  # fmt: skip


class Names:
    """A resolver with one answer."""

    def __init__(self, *answers: str, error: Exception | None = None) -> None:
        self.answers, self.error = answers, error

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        if self.error is not None:
            raise self.error
        return self.answers


@pytest.mark.parametrize("address", PUBLIC)
def test_egress_lets_public_addresses_through(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
async def test_egress_refuses_every_address_that_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(UrlRefused) as caught:
        await inspect("https://hooks.example/x", Names("8.8.8.8", address))
    assert caught.value.reason == "address"


@given(st.ip_addresses(v=4))
def test_egress_says_of_no_ipv4_address_more_than_python_does(address: ipaddress.IPv4Address) -> None:
    if is_public(address):
        assert address.is_global and not address.is_multicast and not address.is_reserved


@given(st.ip_addresses(v=4))
def test_egress_judges_an_ipv4_address_the_same_wherever_it_hides(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    hidden = (
        (0xFFFF << 32) + number,
        (0x0064_FF9B << 96) + number,
        (0x2002 << 112) + (number << 80) + 1,
    )
    assert {is_public(ipaddress.IPv6Address(form)) for form in hidden} == {is_public(address)}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hooks.example/x", "scheme"),
        ("ftp://hooks.example/x", "scheme"),
        ("hooks.example/x", "form"),
        ("https:///x", "form"),
        ("https://hooks.example:80/x", "port"),
        ("https://hooks.example:22/", "port"),
        ("https://hooks.example:8444/", "port"),
        ("https://user@hooks.example/", "credentials"),
        ("https://user:pass@hooks.example/", "credentials"),
        ("https://8.8.8.8@127.0.0.1/", "credentials"),
        ("https://hooks.example/\r\nHost: inside", "form"),
        ("https://hooks.example/ x", "form"),
        ("https://hooks.example\\@inside/", "form"),
        ("https://hooks.example/" + "x" * 2000, "form"),
        ("https://[::1/", "form"),
        ("", "form"),
    ],
)
async def test_egress_refuses_addresses_of_another_form(url: str, reason: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        await inspect(url, Names("8.8.8.8"))
    assert caught.value.reason == reason
    assert "hooks.example" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"]
)
async def test_egress_refuses_every_spelling_of_loopback_with_the_systems_resolver(host: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        await inspect(f"https://{host}/", SystemResolver())
    assert caught.value.reason in {"address", "name", "form"}


async def test_egress_gives_the_address_to_connect_to_and_the_name_for_tls() -> None:
    checked = await inspect("https://Hooks.Example:8443/a?b=c#d", Names("93.184.216.34", "1.1.1.1"))
    assert (checked.url, checked.host) == ("https://93.184.216.34:8443/a?b=c", "hooks.example")
    assert checked.authority == "hooks.example:8443"
    plain = await inspect("https://hooks.example", Names("2606:4700:4700::1111"))
    assert (plain.url, plain.authority) == ("https://[2606:4700:4700::1111]:443/", "hooks.example")


async def test_egress_resolves_a_name_once() -> None:
    resolver = RebindingResolver(["93.184.216.34"], ["127.0.0.1"])
    assert (await inspect("https://hooks.example/", resolver)).address == "93.184.216.34"
    assert resolver.asked == ["hooks.example"]


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), UrlRefused),
        (socket.gaierror(socket.EAI_AGAIN, "later"), DependencyUnavailable),
        (TimeoutError(), DependencyUnavailable),
        (UnicodeError(), UrlRefused),
    ],
)
async def test_egress_tells_a_name_that_is_not_there_from_one_that_cannot_be_asked_for(
    error: Exception, wanted: type[Exception]
) -> None:
    with pytest.raises(wanted):
        await inspect("https://hooks.example/", Names(error=error))


async def test_egress_lets_only_listed_places_on_loopback_through() -> None:
    allow = (Place("127.0.0.1", 9999), Place("inside", 9999))
    checked = await inspect("http://127.0.0.1:9999/x", SystemResolver(), allow)
    assert checked.url == "http://127.0.0.1:9999/x"
    for url in ("http://127.0.0.1:9998/x", "https://127.0.0.1/"):
        with pytest.raises(UrlRefused):
            await inspect(url, SystemResolver(), allow)
    with pytest.raises(UrlRefused):
        await inspect("https://inside:9999/", Names("10.0.0.1"), allow)


def test_egress_knows_loopback() -> None:
    assert [is_loopback(host) for host in ("localhost", "127.0.0.9", "::1", "10.0.0.1", "a.b")] == [
        True,
        True,
        True,
        False,
        False,
    ]
