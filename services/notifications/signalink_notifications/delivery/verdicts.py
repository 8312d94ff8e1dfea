"""Whether a due delivery is still to be sent, by what is true now. Pure; what is read for it is `current`'s."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from signalink_notifications.channels.port import Notice, Target

Reason = Literal[
    "deleted",
    "expired",
    "user_gone",
    "outside",
    "blocked",
    "read",
    "muted",
    "switched_off",
    "unsubscribed",
    "no_target",
    "channel_disabled",
]


@dataclass(frozen=True, slots=True)
class Now:
    """What is true of one delivery at this moment. `notice` None: its message is not there (any more).

    `enabled`: what the user chose for this kind and channel; None: nothing. `quiet_until`: the end of quiet hours that
    hold now. `targets`: where it would go.
    """

    at: datetime
    notice: Notice | None
    user_name: str = ""
    user_here: bool = True
    entitled: bool = True
    read: bool = False
    blocked: bool = False
    muted: bool = False
    enabled: bool | None = None
    mail_off: bool = False
    quiet_until: datetime | None = None
    targets: tuple[Target, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Skip:
    reason: Reason


@dataclass(frozen=True, slots=True)
class Wait:
    until: datetime


@dataclass(frozen=True, slots=True)
class Send:
    notice: Notice
    targets: tuple[Target, ...]


Verdict = Skip | Wait | Send


def judge(now: Now, *, channel: str, asked_at: datetime, expire: timedelta, disabled: bool = False) -> Verdict:
    """The first reason that holds, in this order; what is gone for good comes before what the user wished."""
    reasons: tuple[tuple[bool, Reason], ...] = (
        (now.notice is None, "deleted"),
        (now.at - asked_at > expire, "expired"),
        (not now.user_here, "user_gone"),
        (not now.entitled, "outside"),
        (now.blocked, "blocked"),
        (now.read, "read"),
        (now.muted, "muted"),
        (now.enabled is False, "switched_off"),
        (channel == "email" and now.mail_off, "unsubscribed"),
        (not now.targets, "no_target"),
        (disabled, "channel_disabled"),
    )
    reason = next((reason for holds, reason in reasons if holds), None)
    if reason is not None or now.notice is None:
        return Skip(reason or "deleted")
    if now.quiet_until is not None and now.quiet_until > now.at:
        return Wait(now.quiet_until)
    return Send(now.notice, now.targets)
