"""The eight figures: who asks, what they may see, which windows, one snapshot, one answer.

Decides with `rights` and `ranges`, reads through `repository`, puts together with `figures`. Changes nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias, cast
from uuid import UUID

import asyncpg

from signalink_analytics import active, figures, freshness, repository, rights
from signalink_analytics.answers import (
    ActiveUsers,
    ChannelFigures,
    ChannelName,
    Distinct,
    Freshness,
    Presence,
    PresenceChange,
    PresencePoint,
    PresenceState,
    RankedChannel,
    Scope,
    Series,
    Summary,
    TopChannels,
    UserFigures,
)
from signalink_analytics.histograms import LENGTHS, RESPONSES
from signalink_analytics.kinds import FACTS, SHARED
from signalink_analytics.problems import RangeTooLong
from signalink_analytics.ranges import Asked, Kept, Span, plan
from signalink_analytics.reading import Reading
from signalink_analytics.schemas import PresenceQuery, RangeQuery, SeriesQuery, TopQuery
from signalink_core.clock import isoformat, utc_now
from signalink_core.errors import TokenInvalid
from signalink_core.web.cursors import CursorSigner

DAY, WEEK, MONTH = timedelta(days=1), timedelta(days=7), timedelta(days=30)
MOST_CHANGES = 10_000
AskLag: TypeAlias = Callable[[], Awaitable[Mapping[str, int] | None]]
"""Records that wait in Kafka, by topic; None: not known at the moment."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The caller, with what they may see. `channels` None: the whole platform."""

    id: UUID
    role: rights.ActorRole
    channels: list[UUID] | None

    @property
    def scope(self) -> Scope:
        return "platform" if self.channels is None else "channels"


class FigureService:
    """`kept`: how long windows of each interval are kept; `presence_kept`: the history of presence."""

    def __init__(
        self,
        reading: Reading,
        cursors: CursorSigner,
        *,
        kept: Kept,
        presence_kept: timedelta,
        lag: AskLag,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._reading, self._cursors, self._lag, self._now = reading, cursors, lag, now
        self._kept = kept
        self._presence_kept: Kept = dict.fromkeys(kept, presence_kept)

    async def summary(self, caller: UUID, query: RangeQuery) -> Summary:
        span = plan(query.asked(), self._now(), self._kept)
        async with self._reading.snapshot() as db:
            viewer = await _viewer(db, caller)
            watermark = await repository.watermark(db)
            row = await repository.totals(db, span, viewer.channels)
            return Summary(
                scope=viewer.scope,
                range=figures.range_of(span, watermark),
                totals=figures.counters(row),
                active_channels=await repository.active_channels(db, span, viewer.channels),
                active_users=await active.users(db, [span.segment], viewer.channels),
                **_facts(row, viewer),
            )

    async def messages(self, caller: UUID, query: SeriesQuery) -> Series:
        span = plan(query.asked(), self._now(), self._kept)
        async with self._reading.snapshot() as db:
            viewer = await _viewer(db, caller)
            channels = viewer.channels
            if query.channel is not None:
                await _channel(db, viewer, query.channel)
                channels = [query.channel]
            watermark = await repository.watermark(db)
            rows = await repository.series(db, span, channels)
        return Series(
            scope=viewer.scope if query.channel is None else "channel",
            range=figures.range_of(span, watermark),
            channel_id=query.channel,
            points=figures.points(span, watermark, rows),
        )

    async def top(self, caller: UUID, query: TopQuery) -> TopChannels:
        span, rank, after = self._page_of(caller, query)
        async with self._reading.snapshot() as db:
            viewer = await _viewer(db, caller)
            watermark = await repository.watermark(db)
            rows = await repository.top(db, span, viewer.channels, query.by, after, query.limit + 1)
            shown = rows[: query.limit]
            ids = [row["channel_id"] for row in shown]
            named, senders = await repository.channel_names(db, ids), await repository.senders(db, span, ids)
        items = [
            RankedChannel(
                **_name(row["channel_id"], named.get(row["channel_id"])),
                **figures.counts(row),
                rank=rank + number,
                senders=senders.get(row["channel_id"], 0),
            )
            for number, row in enumerate(shown, 1)
        ]
        following = self._following(caller, query, span, rank, shown) if len(rows) > len(shown) else None
        return TopChannels(
            scope=viewer.scope, by=query.by, range=figures.range_of(span, watermark), items=items, next=following
        )

    async def channel(self, caller: UUID, channel_id: UUID, query: RangeQuery) -> ChannelFigures:
        span = plan(query.asked(), self._now(), self._kept)
        async with self._reading.snapshot() as db:
            found = await _channel(db, await _viewer(db, caller, listed=False), channel_id)
            watermark = await repository.watermark(db)
            rows = await repository.series(db, span, [channel_id])
            stored = await repository.histograms(db, span, channel_id)
            senders = await repository.senders(db, span, [channel_id])
        totals = figures.add_up(rows, SHARED)
        return ChannelFigures(
            channel=ChannelName(**_name(channel_id, found)),
            range=figures.range_of(span, watermark),
            totals=figures.counters(totals),
            senders=Distinct(value=senders.get(channel_id, 0), exact=True, error=None),
            message_length=figures.histogram("characters", LENGTHS, stored["lengths"], totals["characters"]),
            response_time=figures.histogram("seconds", RESPONSES, stored["responses"], stored["response_ms"] / 1000),
            points=figures.points(span, watermark, rows),
        )

    async def active_users(self, caller: UUID) -> ActiveUsers:
        now = self._now()
        async with self._reading.snapshot() as db:
            viewer = await _viewer(db, caller)
            day, week, month = [
                await active.last(db, now, length, self._kept, viewer.channels) for length in (DAY, WEEK, MONTH)
            ]
            return ActiveUsers(
                scope=viewer.scope,
                complete_until=await repository.watermark(db),
                now=await repository.online(db, viewer.channels),
                day=day,
                week=week,
                month=month,
            )

    async def user(self, caller: UUID, user_id: UUID, query: RangeQuery) -> UserFigures:
        span = plan(query.asked(), self._now(), self._kept)
        async with self._reading.snapshot() as db:
            await _user(db, await _viewer(db, caller, listed=False), user_id)
            watermark = await repository.watermark(db)
            rows = await repository.user_series(db, span, user_id)
            channels = await repository.user_channels(db, span, user_id)
        totals = figures.add_up(rows, (*SHARED, *FACTS))
        return UserFigures(
            user_id=user_id,
            range=figures.range_of(span, watermark),
            totals=figures.counters(totals),
            logins=totals["logins"],
            logouts=totals["logouts"],
            channels_created=totals["channels"],
            active_channels=channels,
            active_windows=len(rows),
            last_active=rows[-1]["window_start"] if rows else None,
            points=figures.points(span, watermark, rows),
        )

    async def presence(self, caller: UUID, query: PresenceQuery) -> Presence:
        span = plan(query.asked(), self._now(), self._presence_kept)
        async with self._reading.snapshot() as db:
            viewer = await _viewer(db, caller, listed=False)
            watermark = await repository.watermark(db)
            if query.user == "all":
                rights.require(viewer.role, "platform", "platform")
                rows = await repository.presence_levels(db, span)
                return _presence(span, watermark, None, figures.levels(span, self._now(), rows), [])
            user_id = caller if query.user == "me" else query.user
            await _user(db, viewer, user_id)
            before = await repository.presence_before(db, user_id, span.first)
            rows = await repository.presence_changes(db, span, user_id, MOST_CHANGES + 1)
        if len(rows) > MOST_CHANGES:
            raise RangeTooLong(
                f"There were more than {MOST_CHANGES} changes in the range.", next_step="ask for a shorter range."
            )
        changes = [PresenceChange(at=row["changed_at"], state=row["state"]) for row in rows]
        points = figures.shares(span, watermark, cast("PresenceState | None", before), changes)
        return _presence(span, watermark, user_id, points, changes)

    async def freshness(self, caller: UUID) -> Freshness:
        async with self._reading.snapshot() as db:
            viewer = await _viewer(db, caller, listed=False)
            rights.require(viewer.role, "freshness", "platform")
        waiting = await self._lag()
        async with self._reading.snapshot() as db:
            return await freshness.read(db, self._now(), waiting)

    def _page_of(self, caller: UUID, query: TopQuery) -> tuple[Span, int, tuple[int, UUID] | None]:
        """Range, rank and position of a page. Pages after the first keep the first one's range: now goes on."""
        if query.cursor is None:
            return plan(query.asked(), self._now(), self._kept), 0, None
        start, end, rank, value, last = self._cursors.read(_scope_of(caller, query), query.cursor)
        asked = Asked(query.interval, datetime.fromisoformat(start), datetime.fromisoformat(end))
        return plan(asked, self._now(), self._kept), rank, (value, UUID(last))

    def _following(self, caller: UUID, query: TopQuery, span: Span, rank: int, shown: repository.Rows) -> str:
        last = shown[-1]
        key = [isoformat(span.start), isoformat(span.end), rank + len(shown), last[query.by], last["channel_id"]]
        return self._cursors.make(_scope_of(caller, query), key)


def _scope_of(caller: UUID, query: TopQuery) -> str:
    """A cursor is good for the question it came from."""
    times = [None if moment is None else isoformat(moment) for moment in (query.start, query.end)]
    return f"top {caller} {query.interval} {query.by} {times}"


async def _viewer(db: asyncpg.Connection, caller: UUID, *, listed: bool = True) -> Viewer:
    """`listed`: with their channels. A token of a user who is gone is worth nothing, also before the revocation was
    read."""
    role = cast("rights.ActorRole | None", await repository.actor_role(db, caller))
    if role is None:
        raise TokenInvalid("revoked", "The account is closed.")
    if not listed or rights.decide(role, "platform") == "allowed":
        return Viewer(caller, role, None)
    public = rights.decide(role, "public") == "allowed"
    return Viewer(caller, role, await repository.visible_channels(db, caller, public=public))


async def _channel(db: asyncpg.Connection, viewer: Viewer, channel_id: UUID) -> Mapping[str, Any]:
    """The channel's name and kind; NotFound or Forbidden."""
    found = await repository.channel(db, channel_id, viewer.id)
    if found is None:
        raise rights.refusal("not_found", "channel")
    rights.require(viewer.role, rights.place_of(found["kind"], found["member_role"]), "channel")
    return found


async def _user(db: asyncpg.Connection, viewer: Viewer, user_id: UUID) -> None:
    """NotFound for nobody, and for a closed account unless the viewer may see it; Forbidden for another user."""
    if user_id == viewer.id:
        rights.require(viewer.role, "own", "user")
        return
    is_open = await repository.is_open(db, user_id)
    verdict = rights.decide(viewer.role, "other")
    if is_open is None or (not is_open and verdict != "allowed"):
        raise rights.refusal("not_found", "user")
    rights.require(viewer.role, "other", "user")


def _facts(row: Mapping[str, Any], viewer: Viewer) -> dict[str, int | None]:
    """What belongs to no channel is counted for the platform alone."""
    names = {"logins": "logins", "registrations": "registrations", "channels_created": "channels"}
    if viewer.channels is not None:
        return dict.fromkeys(names)
    return {name: int(row[column] or 0) for name, column in names.items()}


def _name(channel_id: UUID, row: Mapping[str, Any] | None) -> dict[str, Any]:
    """A channel that is not there any more (a restored database) has its figures and no name."""
    if row is None:
        return {"channel_id": channel_id, "kind": "private", "slug": None, "name": "", "archived": True}
    return {name: row[name] for name in ("channel_id", "kind", "slug", "name", "archived")}


def _presence(
    span: Span,
    watermark: datetime | None,
    user_id: UUID | None,
    points: list[PresencePoint],
    changes: list[PresenceChange],
) -> Presence:
    return Presence(
        scope="platform" if user_id is None else "user",
        user_id=user_id,
        range=figures.range_of(span, watermark),
        points=points,
        changes=changes,
    )
