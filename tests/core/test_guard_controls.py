"""The controls as functions against the attacks A10, A12, A16, A17 of the security table, without any transport."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.errors import BadRequest, HostRefused, OriginRefused, RateLimited, TokenInvalid, TooLarge
from signalink_core.guard import controls, problems
from signalink_core.guard.rules import Rules
from signalink_core.guard.view import Transport, View
from signalink_core.settings import LimitSettings

ORIGINS = ("https://app.example", "http://127.0.0.1:8000")
PROXY = controls.networks("10.0.0.0/8, ::1")


def view(
    *headers: tuple[str, str], transport: Transport = "websocket", method: str = "GET", peer: str = "10.0.0.1"
) -> View:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return View.of(transport, method, "/", peer, raw)


# A10: origins are compared whole

LOOK_ALIKES = [
    "https://app.example.evil.org",
    "https://evil.org/https://app.example",
    "https://evilapp.example",
    "https://app.example.",
    "https://app.example:443",
    "http://app.example",
    "HTTPS://APP.EXAMPLE",
    "https://app.example/",
    " https://app.example",
    "https://app.example, https://evil.org",
    "null",
    "",
    "*",
]


def test_a10_a_listed_origin_passes_on_both_transports() -> None:
    assert controls.check_origin(view(("Origin", ORIGINS[0])), ORIGINS) == ORIGINS[0]
    assert controls.check_origin(view(("Origin", ORIGINS[1]), transport="http", method="POST"), ORIGINS) == ORIGINS[1]


@pytest.mark.parametrize("origin", LOOK_ALIKES)
@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_a10_a_foreign_or_look_alike_origin_is_refused(origin: str, transport: Transport) -> None:
    with pytest.raises(OriginRefused):
        controls.check_origin(view(("Origin", origin), transport=transport, method="POST"), ORIGINS)


def test_a10_a_socket_without_an_origin_is_refused() -> None:
    with pytest.raises(OriginRefused):
        controls.check_origin(view(), ORIGINS)


def test_a10_two_origins_are_refused_even_when_both_are_listed() -> None:
    with pytest.raises(OriginRefused):
        controls.check_origin(view(("Origin", ORIGINS[0]), ("Origin", ORIGINS[1])), ORIGINS)


def test_a10_nothing_is_allowed_by_an_empty_list() -> None:
    with pytest.raises(OriginRefused):
        controls.check_origin(view(("Origin", ORIGINS[0])), ())


def test_over_http_a_program_sends_no_origin_and_a_foreign_page_may_only_read() -> None:
    assert controls.check_origin(view(transport="http", method="POST"), ORIGINS) is None
    assert controls.check_origin(view(("Origin", "https://evil.org"), transport="http"), ORIGINS) is None


# A16: addresses only from trusted proxies, one known host


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.7", ["203.0.113.9"], "192.0.2.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.0.0.1", ["10.1.1.1"], "10.1.1.1"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, nonsense"], "10.0.0.1"),
        ("::1", ["2001:db8::7"], "2001:db8::7"),
        ("unix", ["203.0.113.9"], "unix"),
    ],
)
def test_a16_forwarded_addresses_count_only_behind_trusted_proxies(
    peer: str, forwarded: list[str], address: str
) -> None:
    seen = view(*(("X-Forwarded-For", value) for value in forwarded), peer=peer)
    assert controls.client_ip(seen, PROXY) == address


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_a16_without_a_trusted_proxy_no_header_moves_the_address(value: str) -> None:
    assert controls.client_ip(view(("X-Forwarded-For", value), peer="192.0.2.7"), PROXY) == "192.0.2.7"


HOSTS = controls.hosts_of("http://api.example:8000", "ws://gateway.example/v1/socket")


@pytest.mark.parametrize("host", ["api.example", "API.example:8000", "gateway.example", "127.0.0.1:9", "[::1]:80"])
def test_a16_known_hosts_pass_with_any_port(host: str) -> None:
    controls.check_host(view(("Host", host)), HOSTS)


@pytest.mark.parametrize("host", ["evil.example", "api.example.evil.org", "", "api.example@evil.org", "api.example, a"])
def test_a16_other_hosts_are_refused(host: str) -> None:
    with pytest.raises(HostRefused):
        controls.check_host(view(("Host", host)), HOSTS)


def test_a16_no_host_or_two_are_refused_even_where_any_host_is_allowed() -> None:
    controls.check_host(view(("Host", "anything")), ())
    for headers in ([], [("Host", "a"), ("Host", "a")]):
        with pytest.raises(HostRefused):
            controls.check_host(view(*headers), ())


# A12, A17: sizes


@pytest.mark.parametrize(("length", "good"), [("0", True), ("262144", True), ("262145", False), ("9" * 400, False)])
def test_the_declared_body_is_bounded_at_256_kb(length: str, good: bool) -> None:
    seen = view(("Content-Length", length), transport="http", method="POST")
    if good:
        controls.check_size(seen)
    else:
        with pytest.raises(TooLarge):
            controls.check_size(seen)


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "", " 5", "٣"])
def test_a17_a_content_length_that_is_no_number_is_refused(length: str) -> None:
    raw = [(b"content-length", length.encode())]
    with pytest.raises(BadRequest):
        controls.check_size(View.of("http", "POST", "/", "10.0.0.1", raw))


def test_a17_two_content_lengths_are_refused() -> None:
    with pytest.raises(BadRequest):
        controls.check_size(view(("Content-Length", "1"), ("Content-Length", "1")))


def test_headers_are_bounded_at_16_kb() -> None:
    controls.check_size(view(("X", "a" * (16 * 1024 - 1))))
    with pytest.raises(TooLarge):
        controls.check_size(view(("X", "a" * 16 * 1024)))


# Request ids, headers, problems


@pytest.mark.parametrize("given_id", ["abcdefgh", "A-b_1234", "x" * 64])
def test_a_good_request_id_of_the_caller_is_kept(given_id: str) -> None:
    assert controls.request_id(view(("X-Request-ID", given_id))) == given_id


@pytest.mark.parametrize("given_id", ["short", "x" * 65, "with space", "line\nbreak", "<script>abc", "é" * 10])
def test_any_other_request_id_is_replaced(given_id: str) -> None:
    made = controls.request_id(view(("X-Request-ID", given_id)))
    assert re.fullmatch(r"[0-9a-f-]{36}", made)


def test_a_doubled_header_has_no_value() -> None:
    assert view(("A", "1"), ("a", "2")).value("a") is None
    assert view(("A", "1"), ("a", "2")).values("a") == ["1", "2"]


def test_a_rate_limit_answer_says_when_to_come_back_in_whole_seconds() -> None:
    status, headers, body = problems.answer(RateLimited("Too many.", retry_after=0.2), "req-1")
    assert status == 429
    assert (b"retry-after", b"1") in headers
    assert b'"instance":"req-1"' in body


def test_a_refused_token_gets_a_challenge() -> None:
    assert (b"www-authenticate", b"Bearer") in problems.answer(TokenInvalid("expired"), "r")[1]


def test_every_rule_takes_its_amount_from_its_setting_and_names_its_scope() -> None:
    rules = Rules.of(LimitSettings(logins_per_minute_per_account=7))
    assert (rules.login_account.amount, rules.login_account.seconds) == (7, 60)
    for name in Rules.__dataclass_fields__:
        assert getattr(rules, name).scope == name
