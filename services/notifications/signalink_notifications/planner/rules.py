"""Whether somebody is to be told of a message, by which channels and when: pure, all that is known comes in.

Presence, mutes, blocks, entitlement and wishes are read by `candidates`; that a message is told to a user once only is
kept by `notifications.request`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args
from uuid import UUID

from signalink_core.events.types import NotificationChannel, NotificationKind, PresenceState
from signalink_notifications.planner.quiet import Quiet

Reason = Literal[
    "deleted", "own", "stale", "disabled", "outside", "blocked", "muted", "read", "dnd", "online", "off"
]  # fmt: skip
"""Why somebody is not told."""
KINDS: Final[tuple[NotificationKind, ...]] = get_args(NotificationKind)
"""The strongest first: a message that is several to one user is told as the first of them."""
CHANNELS: Final[tuple[NotificationChannel, ...]] = get_args(NotificationChannel)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator chose. `digest_minutes` holds for users who chose none; 0: no digests."""

    away: timedelta
    digest_minutes: int
    digest_after: int
    oldest: timedelta


@dataclass(frozen=True, slots=True)
class Occasion:
    """A message that concerns one user. `told_at`: when it was posted, or edited so that it concerns them."""

    channel_id: UUID
    message_id: UUID
    seq: int
    sender_id: UUID
    told_at: datetime
    kinds: frozenset[NotificationKind]
    edited: bool = False
    deleted: bool = False
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Mails:
    """Of the last `digest_minutes`: how many mails went at once, and since when one waits for others."""

    at_once: int = 0
    waiting_since: datetime | None = None

    def after(self, wanted: "Wanted", now: datetime) -> "Mails":
        """With one more planned now."""
        if "email" not in wanted.channels:
            return self
        if wanted.digest:
            return Mails(self.at_once, self.waiting_since or now)
        return Mails(self.at_once + 1, self.waiting_since)


@dataclass(frozen=True, slots=True)
class Person:
    """A user as the occasion finds them. `entitled` to read the message, `last_read_seq` of its channel.

    `reachable`: the channels that lead anywhere, before wishes. `off`: kinds they do not want through a channel.
    """

    user_id: UUID
    reachable: frozenset[NotificationChannel] = frozenset(CHANNELS)
    disabled: bool = False
    entitled: bool = True
    last_read_seq: int = 0
    blocked_sender: bool = False
    muted: bool = False
    state: PresenceState | None = None
    state_since: datetime | None = None
    off: frozenset[tuple[NotificationKind, NotificationChannel]] = frozenset()
    quiet: Quiet | None = None
    digest_minutes: int | None = None
    mails: Mails = Mails()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Tell them as `kind`, through `channels`, not before the end of their quiet hours; a digest waits for others."""

    kind: NotificationKind
    channels: tuple[NotificationChannel, ...]
    not_before: datetime | None = None
    digest_at: datetime | None = None

    @property
    def digest(self) -> bool:
        return self.digest_at is not None


def decide(occasion: Occasion, person: Person, now: datetime, policy: Policy) -> Wanted | Reason:
    """Either what to do or why nothing."""
    reason = _against(occasion, person, now, policy)
    if reason is not None:
        return reason
    channels = {kind: _channels(kind, person) for kind in KINDS if kind in occasion.kinds}
    through = frozenset[NotificationChannel]().union(*channels.values())
    if not through:
        return "off"
    kind = next(kind for kind, some in channels.items() if some)
    not_before = None if person.quiet is None else person.quiet.ends(now)
    digest_at = _digest_at(person, now, policy, not_before) if "email" in through else None
    return Wanted(kind, tuple(channel for channel in CHANNELS if channel in through), not_before, digest_at)


def strongest(kinds: Collection[NotificationKind]) -> NotificationKind:
    return min(kinds, key=KINDS.index)


def _against(occasion: Occasion, person: Person, now: datetime, policy: Policy) -> Reason | None:
    """The first reason not to tell them, whatever they wish."""
    reasons: tuple[tuple[bool, Reason], ...] = (
        (occasion.deleted, "deleted"),
        (occasion.sender_id == person.user_id, "own"),
        (now - occasion.told_at > policy.oldest, "stale"),
        (person.disabled, "disabled"),
        (not person.entitled, "outside"),
        (person.blocked_sender, "blocked"),
        (person.muted, "muted"),
        (not occasion.edited and person.last_read_seq >= occasion.seq, "read"),
        (person.state == "dnd", "dnd"),
        (_is_here(person, now, policy), "online"),
    )
    return next((reason for holds, reason in reasons if holds), None)


def _is_here(person: Person, now: datetime, policy: Policy) -> bool:
    """They see it on a screen: online, or away for a short time. Of whom nothing is known is offline."""
    if person.state == "away":
        return person.state_since is not None and now - person.state_since <= policy.away
    return person.state == "online"


def _channels(kind: NotificationKind, person: Person) -> set[NotificationChannel]:
    return {channel for channel in person.reachable if (kind, channel) not in person.off}


def _digest_at(person: Person, now: datetime, policy: Policy, not_before: datetime | None) -> datetime | None:
    """When the mail goes together with others; None: alone and as soon as it may.

    The first `digest_after` within the digest's time go at once, then one gathers. The mails of quiet hours gather too.
    """
    minutes = policy.digest_minutes if person.digest_minutes is None else person.digest_minutes
    if minutes == 0:
        return None
    if not_before is not None:
        return not_before
    since = person.mails.waiting_since
    if since is not None and since + timedelta(minutes=minutes) > now:
        return since + timedelta(minutes=minutes)
    return now + timedelta(minutes=minutes) if person.mails.at_once >= policy.digest_after else None
