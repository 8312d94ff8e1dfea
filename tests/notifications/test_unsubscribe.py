"""The unsubscribe link: works without a login, for its user only, once made for ever, and cannot be made by others."""

import base64
import re
from typing import Any
from uuid import UUID

import pytest
from desk import PAGE, URL, Desk
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.ids import uuid7
from signalink_notifications.unsubscribe.links import LinkInvalid, UnsubscribeLinks

LINKS = UnsubscribeLinks(b"s" * 43, URL)


async def email(desk: Desk, user: Any) -> bool:
    return bool((await desk.get(user, "/v1/preferences")).json()["email"])


async def test_a_mail_program_ends_the_mails_with_one_post(desk: Desk) -> None:
    """RFC 8058: no login, no cookie, no Origin, a form as its body."""
    user, other = uuid7(), uuid7()
    link = desk.parts.links.of(user)
    assert link.startswith(URL + "/v1/unsubscribe?token=")
    for _ in range(2):
        answer = await desk.client.post(link, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    assert await email(desk, user) is False
    assert await email(desk, other) is True


async def test_opening_the_link_asks_first_and_its_button_does_it(desk: Desk) -> None:
    user = uuid7()
    await desk.patch(user, {"keywords": ["fire"]})
    link = desk.parts.links.of(user)
    page = await desk.client.get(link)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert await email(desk, user) is True, "mail scanners open links too"
    action = re.findall(r'<form method="post" action="(\?token=[^"]+)">', page.text)
    assert link.endswith(action[0])
    done = await desk.client.post("/v1/unsubscribe" + action[0], headers={"Origin": URL})
    assert (done.status_code, await email(desk, user)) == (200, False)
    assert (await desk.get(user, "/v1/preferences")).json()["keywords"] == ["fire"]
    assert (await desk.patch(user, {"email": True})).json()["email"] is True


async def test_the_pages_run_nothing_and_tell_nobody_of_the_link(desk: Desk) -> None:
    page = await desk.client.get(desk.parts.links.of(uuid7()))
    assert page.headers["content-security-policy"].startswith("default-src 'none'; form-action 'self'")
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_was_altered_or_cut_is_refused_with_what_to_do(desk: Desk, method: str) -> None:
    user = uuid7()
    token = desk.parts.links.token(user)
    other = desk.parts.links.token(uuid7())
    swapped = other[:20] + token[20:]
    for wrong in (swapped, token[:-8], token[:-1], "x", token + "AAAA", "%00", '"><script>'):
        answer = await desk.client.request(method, "/v1/unsubscribe", params={"token": wrong})
        assert (answer.status_code, answer.json()["code"]) == (400, "link_invalid"), wrong
        assert "preferences" in answer.json()["next_step"]
    for params in ({}, {"token": "x" * 200}):
        assert (await desk.client.request(method, "/v1/unsubscribe", params=params)).status_code == 422
    assert await email(desk, user) is True


async def test_a_page_of_another_origin_cannot_press_the_button(desk: Desk) -> None:
    user = uuid7()
    answer = await desk.client.post(desk.parts.links.of(user), headers={"Origin": "http://evil.example"})
    assert (answer.status_code, await email(desk, user)) == (403, True)
    assert (await desk.client.post(desk.parts.links.of(user), headers={"Origin": PAGE})).status_code == 200


@given(st.binary(max_size=80))
def test_no_bytes_are_a_link(raw: bytes) -> None:
    with pytest.raises(LinkInvalid):
        LINKS.user(base64.urlsafe_b64encode(raw).decode())


@given(st.integers(0, 63), st.integers(1, 255))
def test_no_byte_of_a_link_may_differ(place: int, change: int) -> None:
    user = uuid7()
    token = LINKS.token(user)
    altered = token[:place] + chr((ord(token[place]) + change) % 128) + token[place + 1 :]
    if altered != token:
        with pytest.raises(LinkInvalid):
            LINKS.user(altered)
    assert LINKS.user(token) == user


def test_the_other_alphabet_of_base64_is_refused() -> None:
    tokens = [LINKS.token(UUID(int=number)) for number in range(50)]
    for token in (each for each in tokens if set(each) & set("-_")):
        with pytest.raises(LinkInvalid):
            LINKS.user(token.replace("-", "+").replace("_", "/"))


def test_another_secret_makes_other_links() -> None:
    with pytest.raises(LinkInvalid):
        UnsubscribeLinks(b"t" * 43, URL).user(LINKS.token(uuid7()))
