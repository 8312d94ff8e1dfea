"""Mails over SMTP: composed as text and HTML, sent by a connection of their own.

Owns the form of a mail (RFC 5322, RFC 8058) and what SMTP's answers mean. A repeat carries the same Message-ID, so a
mailbox that looks at it shows one.
"""

import asyncio
import contextlib
import html
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Final

import aiosmtplib

from signalink_core import clock
from signalink_core.errors import ConfigurationError
from signalink_core.settings import read_secret
from signalink_notifications.channels import content
from signalink_notifications.channels.port import Again, Never, Notice, Outcome, Outgoing, Sent, Target
from signalink_notifications.channels.trust import trusted
from signalink_notifications.delivery.settings import EmailSettings

QUIT_SECONDS: Final = 1.0
_POLICY: Final = SMTP.clone(max_line_length=200)
_WIRE: Final = SMTP.clone(max_line_length=998)
"""The longest line of SMTP."""
_SETTINGS_OF_OURS: Final = frozenset({530, 534, 535, 538, 454})
"""Login wanted, refused, or not now: the credentials may be put right while the mail waits."""


class EmailChannel:
    """`disabled` without SIGNALINK_EMAIL_HOST."""

    name = "email"

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self.disabled = "" if settings.host else "SIGNALINK_EMAIL_HOST is not set"
        self._tls = trusted(settings.ca_file) if settings.security != "none" else None
        self._sender = _sender(settings.sender)

    def provider(self, target: Target) -> str:
        return self._settings.host

    async def send(self, outgoing: Outgoing) -> Outcome:
        try:
            recipient = Address(addr_spec=outgoing.target.address)
            mail = compose(outgoing, self._sender, recipient)
        except (ValueError, MessageError, IndexError):
            return Never("address_invalid")
        client = self._client()
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                await client.connect()
                return Sent(await _submit(client, mail, self._sender.addr_spec, recipient.addr_spec))
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            return Again("timeout")
        except aiosmtplib.SMTPException as error:
            return judged(error)
        except OSError:
            return Again("unreachable")
        finally:
            await _leave(client)

    def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.user,
            password=read_secret(settings.password_file, "e-mail") if settings.user else None,
            timeout=settings.timeout_seconds,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=self._tls,
            local_hostname=self._sender.domain,
        )


async def _submit(client: aiosmtplib.SMTP, mail: EmailMessage, sender: str, recipient: str) -> str:
    """As the client's own `send_message`, but that one folds headers at 78 characters: it would encode a long link by
    RFC 2047, and no mail program finds a link in that."""
    if client.is_ehlo_or_helo_needed:
        await client.ehlo()
    utf8, options = not (sender + recipient).isascii(), []
    if utf8 and not client.supports_extension("smtputf8"):
        raise aiosmtplib.SMTPNotSupported("The server takes no address that is not ASCII.")
    if utf8:
        options.append("SMTPUTF8")
    if plain := client.supports_extension("8bitmime"):
        options.append("BODY=8BITMIME")
    raw = mail.as_bytes(policy=_WIRE.clone(utf8=utf8, cte_type="8bit" if plain else "7bit"))
    _, said = await client.sendmail(sender, [recipient], raw, mail_options=options)
    return said


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Politely, but not for long; what was sent stays sent."""
    with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        if client.is_connected:
            await client.quit(timeout=QUIT_SECONDS)
    client.close()


def judged(error: aiosmtplib.SMTPException) -> Outcome:
    """4xx and a lost connection: again. 5xx: never, unless it is about our own login."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return judged(error.recipients[0])
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return Again("smtp_not_supported")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        if error.code in _SETTINGS_OF_OURS:
            return Again(f"smtp_login_{error.code}")
        permanent = 500 <= error.code < 600 and not isinstance(error, aiosmtplib.SMTPConnectError)
        return Never(f"smtp_{error.code}") if permanent else Again(f"smtp_{error.code}")
    return Again("unreachable" if isinstance(error, ConnectionError) else "smtp_error")


def compose(outgoing: Outgoing, sender: Address, recipient: Address) -> EmailMessage:
    """Raises ValueError for an address that no mail can have."""
    if not recipient.domain or not recipient.username:
        raise ValueError("an address has a name and a domain")
    mail = EmailMessage(policy=_POLICY)
    mail["From"], mail["To"] = sender, recipient
    mail["Subject"] = content.subject(outgoing.notices)
    mail["Date"] = format_datetime(clock.utc_now())
    mail["Message-ID"] = f"<{outgoing.key}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if outgoing.unsubscribe_url:
        mail["List-Unsubscribe"] = f"<{outgoing.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(_text(outgoing))
    mail.add_alternative(_html(outgoing), subtype="html")
    return mail


def _text(outgoing: Outgoing) -> str:
    parts = [f"{content.title(notice)} ({_when(notice)}):\n\n{content.body(notice)}\n" for notice in outgoing.notices]
    foot = f"-- \nNo more mails: {outgoing.unsubscribe_url}\n" if outgoing.unsubscribe_url else ""
    return f"Hello {content.line(outgoing.user_name)},\n\n" + "\n".join(parts) + "\n" + foot


def _html(outgoing: Outgoing) -> str:
    """Everything that people wrote is escaped; nothing is loaded from anywhere."""
    parts = "".join(
        f"<p><strong>{html.escape(content.title(notice))}</strong> <small>{_when(notice)}</small></p>"
        f"<blockquote>{html.escape(content.body(notice)).replace(chr(10), '<br>')}</blockquote>"
        for notice in outgoing.notices
    )
    link = html.escape(outgoing.unsubscribe_url, quote=True)
    foot = f'<hr><p><small><a href="{link}">No more mails</a></small></p>' if link else ""
    hello = html.escape(content.line(outgoing.user_name))
    body = f"<p>Hello {hello},</p>{parts}{foot}"
    return f'<!doctype html><html><head><meta charset="utf-8"></head><body>{body}</body></html>'


def _when(notice: Notice) -> str:
    return notice.written_at.strftime("%Y-%m-%d %H:%M UTC")


def _sender(text: str) -> Address:
    """Of SIGNALINK_EMAIL_SENDER; ConfigurationError."""
    name, address = parseaddr(text)
    try:
        made = Address(content.line(name), addr_spec=address)
        if made.domain:
            return made
    except (ValueError, MessageError, IndexError):
        pass
    raise ConfigurationError(
        f"SIGNALINK_EMAIL_SENDER is no address: {text!r}.", next_step="write it as: Signalink <notify@example.org>"
    )
