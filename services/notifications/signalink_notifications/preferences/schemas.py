"""Bodies of the preference routes: what a time zone, quiet hours, a keyword and a webhook's address may be."""

from datetime import time
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from signalink_core.events.types import NotificationChannel, NotificationKind
from signalink_core.web.schemas import Answer, Moment, Request
from signalink_core.web.text import Line
from signalink_notifications.egress import is_loopback
from signalink_notifications.planner.texts import fold

MOST_KEYWORDS = 50
WEBHOOK_PORTS = (443, 8443)


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise PydanticCustomError("time_zone", "Must be an IANA time zone such as Europe/Berlin")
    return name


def _each_once(keywords: list[str]) -> list[str]:
    return list(dict.fromkeys(fold(keyword) for keyword in keywords))


def _address(url: str) -> str:
    """What can be told without asking the network; where it leads is looked at next, and again before each post."""
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        raise PydanticCustomError("webhook_url", "Must be an address such as https://example.org/hook") from None
    if is_loopback(parts.hostname or ""):
        return url  # refused there, but for what a lab allows
    if parts.scheme != "https" or not parts.hostname:
        raise PydanticCustomError("webhook_url", "Must begin with https:// and name a host")
    if parts.username is not None or parts.fragment:
        raise PydanticCustomError("webhook_url", "Must carry neither a user nor a fragment")
    if port is not None and port not in WEBHOOK_PORTS:
        raise PydanticCustomError("webhook_url", "The port must be 443 or 8443")
    return url


Clock = Annotated[
    time,
    PlainSerializer(lambda value: value.strftime("%H:%M"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "examples": ["22:00"]}),
]
ClockText = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
TimeZone = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_zone)]
Keyword: Any = Line(50, least=2)
WebhookUrl = Annotated[
    str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[\x21-\x7e]+$"), AfterValidator(_address)
]
Minutes = Annotated[int, Field(ge=0, le=1440)]


class QuietHoursRequest(Request):
    """Local times of the time zone; over midnight when `end` is before `begin`."""

    begin: ClockText
    end: ClockText

    @model_validator(mode="after")
    def _differ(self) -> "QuietHoursRequest":
        if self.begin == self.end:
            raise PydanticCustomError("quiet_hours", "`begin` and `end` must differ")
        return self


class PreferencesPatch(Request):
    """Only what is named changes. `quiet_hours` null: none; `digest_minutes` null: the service's own, 0: no digests."""

    time_zone: TimeZone = ""
    quiet_hours: QuietHoursRequest | None = None
    digest_minutes: Minutes | None = None
    keywords: Annotated[list[Keyword], Field(max_length=MOST_KEYWORDS), AfterValidator(_each_once)] = Field([])
    email: bool = True


class ChoiceRequest(Request):
    enabled: bool


class WebhookRequest(Request):
    url: WebhookUrl


class QuietHours(Answer):
    begin: Clock
    end: Clock


class Choice(Answer):
    """Whether notifications of this kind go through this channel."""

    kind: NotificationKind
    channel: NotificationChannel
    enabled: bool


class Webhook(Answer):
    """Where notifications are posted to."""

    url: str
    set_at: Moment


class NewWebhook(Webhook):
    """`secret` signs what is posted there. It is shown now and never again; setting the address anew makes another."""

    secret: str


class Preferences(Answer):
    """`digest_minutes` null: `default_digest_minutes` holds. `email` false: no mail at all, whatever choices say."""

    time_zone: str
    quiet_hours: QuietHours | None
    digest_minutes: int | None
    default_digest_minutes: int
    keywords: list[str]
    email: bool
    webhook: Webhook | None
    choices: list[Choice]
