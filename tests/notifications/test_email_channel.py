"""Mails on a real SMTP server: their form, TLS, login, and people who write what could break them."""

import email.policy
import re
from collections.abc import Iterator
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest
from authorities import Authority
from channelrigs import SENDER, notice, outgoing
from hypothesis import given, settings
from hypothesis import strategies as st
from providers import Answer, SmtpServer

from signalink_core.errors import ConfigurationError
from signalink_core.ids import uuid7
from signalink_notifications.channels.email import EmailChannel, compose
from signalink_notifications.channels.port import Again, Never, Sent, Target
from signalink_notifications.delivery.settings import EmailSettings

BOB = Target("", "bob@example.org")


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def channel(server: SmtpServer, **fields: Any) -> EmailChannel:
    values: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "security": "none", "sender": SENDER}
    return EmailChannel(EmailSettings(**values | {"timeout_seconds": 3.0} | fields))


async def test_email_says_who_wrote_what_where_in_text_and_html(smtp: SmtpServer) -> None:
    sent = outgoing(BOB, notice(body="a < b\n& c"))
    outcome = await channel(smtp).send(sent)
    (mail,) = smtp.mails
    assert outcome == Sent("2.0.0 OK queued as 00000001")
    assert (mail.sender, mail.recipients) == ("notify@signalink.example", ("bob@example.org",))
    assert mail.message["Subject"] == "Ann mentioned you in #general"
    assert mail.message_id == f"<{sent.key}@signalink.example>"
    assert "a < b\n& c" in mail.part("plain").replace("\r\n", "\n")
    assert "a &lt; b<br>&amp; c" in mail.part("html")


async def test_email_carries_the_one_click_unsubscribe_link(smtp: SmtpServer) -> None:
    sent = outgoing(BOB, unsubscribe_url="https://n.example/v1/unsubscribe?token=" + "A" * 200)
    await channel(smtp).send(sent)
    (mail,) = smtp.mails
    assert f"\r\nList-Unsubscribe: <{sent.unsubscribe_url}>\r\n".encode() in mail.raw, (
        "mail programs decode nothing here"
    )
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert sent.unsubscribe_url in mail.part("plain")
    assert f'href="{sent.unsubscribe_url}"' in mail.part("html")


async def test_email_of_a_digest_holds_all_its_messages_in_order(smtp: SmtpServer) -> None:
    await channel(smtp).send(outgoing(BOB, *(notice(body=f"text {n}") for n in range(5))))
    (mail,) = smtp.mails
    assert mail.message["Subject"] == "5 messages for you"
    assert re.findall(r"text \d", mail.part("plain")) == [f"text {n}" for n in range(5)]


@pytest.mark.parametrize(
    "address", ["", "bob", "bob@", "@example.org", "a b@example.org", "a@b@c", "bob@example.org\r\nBcc: x@y.z", "<>"]
)
async def test_email_refuses_an_invalid_address_for_good_without_asking_the_server(
    smtp: SmtpServer, address: str
) -> None:
    assert await channel(smtp).send(outgoing(Target("", address))) == Never("address_invalid")
    assert smtp.mails == []


async def test_email_that_the_server_knows_no_mailbox_for_is_refused_for_good(smtp: SmtpServer) -> None:
    smtp.bad_recipients.add("bob@example.org")
    assert await channel(smtp).send(outgoing(BOB)) == Never("smtp_550")


async def test_email_that_the_server_does_not_take_now_is_tried_again(smtp: SmtpServer) -> None:
    smtp.at_recipient = True
    smtp.answers.queue(Answer(450), Answer(421))
    assert await channel(smtp).send(outgoing(BOB)) == Again("smtp_450")
    assert await channel(smtp).send(outgoing(BOB)) == Again("smtp_421")


NASTY = st.text(st.characters(codec="utf-8"), max_size=80) | st.just("Ann\r\nBcc: eve@example.org\r\n\r\nhi")


@settings(max_examples=60, deadline=None)
@given(NASTY, NASTY, NASTY, st.sampled_from(["mention", "direct", "reply", "keyword"]))
def test_email_headers_and_html_survive_whatever_people_call_themselves_and_write(
    name: str, place: str, body: str, kind: str
) -> None:
    sent = outgoing(BOB, notice(sender_name=name, channel_name=place, body=body, kind=kind), user_name=name)
    raw = compose(sent, Address("S", addr_spec="s@signalink.example"), Address(addr_spec=BOB.address)).as_bytes()
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert sorted(name.lower() for name, _ in mail.items()) == [
        "auto-submitted", "content-type", "date", "from", "list-unsubscribe", "list-unsubscribe-post", "message-id",
        "mime-version", "subject", "to",
    ]  # fmt: skip
    page = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    tags = set(re.findall(r"<\s*([a-zA-Z]+)", page))
    assert tags <= {"html", "head", "meta", "body", "p", "strong", "small", "blockquote", "br", "hr", "a"}


async def test_email_goes_over_starttls_and_tls_to_a_server_that_is_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    for implicit, security in ((False, "starttls"), (True, "tls")):
        with SmtpServer(tls=authority.server(), implicit=implicit) as server:
            trusting = channel(server, security=security, ca_file=authority.ca_file)
            assert isinstance(await trusting.send(outgoing(BOB)), Sent)
            strict = channel(server, security=security)
            assert isinstance(await strict.send(outgoing(BOB)), Again)
            assert len(server.mails) == 1


async def test_email_is_never_sent_in_clear_where_tls_was_asked_for(smtp: SmtpServer) -> None:
    outcome = await channel(smtp, security="starttls").send(outgoing(BOB))
    assert isinstance(outcome, Again) and smtp.mails == []


async def test_email_logs_in_with_the_password_of_the_file_as_it_is_now(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("wrong")
    authority = Authority(tmp_path)
    with SmtpServer(tls=authority.server(), login=("user", "right")) as server:
        post = channel(server, security="starttls", ca_file=authority.ca_file, user="user", password_file=secret)
        outcome = await post.send(outgoing(BOB))
        assert isinstance(outcome, Again) and outcome.reason.startswith("smtp_login")
        secret.write_text("right\n")
        assert isinstance(await post.send(outgoing(BOB)), Sent)


def test_email_without_a_host_is_disabled_and_a_bad_sender_is_refused_at_start() -> None:
    assert EmailChannel(EmailSettings()).disabled == "SIGNALINK_EMAIL_HOST is not set"
    with pytest.raises(ConfigurationError, match="SIGNALINK_EMAIL_SENDER"):
        EmailChannel(EmailSettings(sender="nobody"))


def test_email_keeps_addresses_and_bodies_out_of_what_a_traceback_shows() -> None:
    shown = repr(outgoing(Target("", "bob@example.org", "whisper"), notice(body="private words"), key=uuid7()))
    assert not {"bob@example.org", "whisper", "private words", "token=t"} & {
        word for word in ("bob@example.org", "whisper", "private words", "token=t") if word in shown
    }
