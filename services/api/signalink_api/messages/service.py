"""Messages: posts go through the writer, changes through the database's functions; who may read is decided here."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import Row

from signalink_api import functions
from signalink_api.channels import access
from signalink_api.database import Database
from signalink_api.messages import repository
from signalink_api.messages.schemas import (
    EventFrame,
    EventPage,
    EventsQuery,
    Message,
    MessagePage,
    MessagesQuery,
    PostRequest,
    SeqRange,
    ThreadQuery,
)
from signalink_api.problems import IdempotencyConflict, ReplyUnknown, SlowMode
from signalink_api.writer import Draft, MessageWriter, Verdict
from signalink_core.errors import RateLimited, SignalinkError
from signalink_core.events import Event, Position
from signalink_core.guard.limits import Hit, Limiter
from signalink_core.guard.rules import Rules
from signalink_core.log import reads
from signalink_core.log.rows import to_events
from signalink_core.telemetry import names
from signalink_core.web.catalogue import Invalid
from signalink_core.web.schemas import Answer

A = TypeVar("A", bound=Answer)


class MessageService:
    def __init__(
        self,
        *,
        database: Database,
        writer: MessageWriter,
        limiter: Limiter,
        rules: Rules,
        publish: Callable[[Sequence[Event]], None],
        body_characters: int,
    ) -> None:
        self._database = database
        self._writer = writer
        self._limiter = limiter
        self._rules = rules
        self._publish = publish
        self._body_characters = body_characters

    async def post(self, user_id: UUID, channel_id: UUID, asked: PostRequest, key: str | None) -> tuple[Message, bool]:
        """The message as it was first posted, and whether this post made it. `key` is the Idempotency-Key header."""
        draft = self.draft(user_id, channel_id, asked, key)
        verdict = await self.submit(draft)
        return _posted(draft, verdict), verdict.kind == "created"

    def draft(self, user_id: UUID, channel_id: UUID, asked: PostRequest, key: str | None) -> Draft:
        """What was asked, in the writer's words. Raises Invalid."""
        return Draft(
            channel_id=channel_id,
            sender_id=user_id,
            client_id=_client_id(asked.client_id, key),
            body=self._bounded(asked.body),
            format=asked.format,
            metadata=asked.metadata,
            reply_to=asked.reply_to,
        )

    async def submit(self, draft: Draft, *before: Hit) -> Verdict:
        """As `post`: created or replayed. `before`: limits that are counted first, in the same round trip."""
        rules = self._rules
        hits = (*before, (rules.posts_user, draft.sender_id), (rules.posts_channel, draft.channel_id))
        await self._limiter.hit_each(hits)
        verdict = await self._writer.post(draft)
        if not verdict.posted:
            raise await self._refusal(verdict, draft)
        return verdict

    async def get(self, user_id: UUID, message_id: UUID) -> Message:
        async with self._database.read() as db:
            row = await repository.find(db, message_id, user_id)
        if row is None or not access.allows(row, "see"):
            raise functions.refusal("not_found")
        if not access.allows(row, "read"):
            raise functions.refusal("forbidden")
        return _message(row)

    async def page(self, user_id: UUID, channel_id: UUID, query: MessagesQuery) -> MessagePage:
        async with self._database.read() as db:
            await access.require(db, channel_id, user_id, "read")
            if query.after is not None:
                rows = await repository.above(db, channel_id, user_id, query.after, query.limit + 1)
                return _page([], rows, 0, query.limit, at=query.after + 1, older=query.after > 0)
            if query.around is None:
                rows = await repository.below(db, channel_id, user_id, query.before, query.limit + 1)
                at = rows[-1].seq + 1 if query.before is None and rows else query.before or 1
                return _page(rows, [], query.limit, 0, at=at, newer=query.before is not None)
            half = query.limit // 2
            below = await repository.below(db, channel_id, user_id, query.around, half + 1)
            above = await repository.above(db, channel_id, user_id, query.around - 1, query.limit - half + 1)
        return _page(below, above, half, query.limit - half, at=query.around)

    async def thread(self, user_id: UUID, message_id: UUID, query: ThreadQuery) -> MessagePage:
        """Replies above a seq; whoever may read the message may read those of them that they are entitled to."""
        root = await self.get(user_id, message_id)
        async with self._database.read() as db:
            rows = await repository.thread(db, root.thread_root or root.id, user_id, query.after, query.limit + 1)
        return _page([], rows, 0, query.limit, at=query.after + 1, older=query.after > 0)

    async def edit(self, user_id: UUID, message_id: UUID, body: str) -> Message:
        await self._do("edit_message", message_id=message_id, actor_id=user_id, body=self._bounded(body))
        return await self.get(user_id, message_id)

    async def delete(self, user_id: UUID, message_id: UUID) -> None:
        await self._do("delete_message", message_id=message_id, actor_id=user_id)

    async def events(self, user_id: UUID, channel_id: UUID, query: EventsQuery) -> EventPage:
        """What follows a seq in the log, as a socket that resumes there would get it."""
        async with self._database.read() as db:
            channel = await access.require(db, channel_id, user_id, "resume")
        after = Position(channel.epoch if query.epoch is None else query.epoch, query.after)
        async with self._database.commands() as connection:
            page = await reads.resume(connection, user_id, channel_id, after, limit_rows=query.limit)
        if not page.member:
            raise functions.refusal("forbidden")
        return EventPage(
            epoch=page.epoch,
            last_seq=page.last_seq,
            floor=page.floor,
            gap=page.gap,
            more=page.more,
            skipped=[SeqRange(first=held.first, last=held.last) for held in page.skipped],
            events=[_frame(event) for event in page.events],
        )

    async def _do(self, function: functions.Name, /, **command: Any) -> None:
        answer = await functions.call(self._database, function, command)
        self._publish(to_events(answer))

    def _bounded(self, body: str) -> str:
        if len(body) > self._body_characters:
            raise Invalid.field("body.body", f"At most {self._body_characters} characters", kind="too_long")
        return body

    async def _refusal(self, verdict: Verdict, draft: Draft) -> SignalinkError:
        match verdict.kind:
            case "conflict":
                return IdempotencyConflict(
                    "This client_id was used for another message.", next_step="take a new one for a new message."
                )
            case "reply_unknown":
                return ReplyUnknown("The message of reply_to is not in this channel.")
            case "too_fast":
                return await self._slow_mode(draft)
            case "over_quota":
                return _over_quota()
        return functions.refusal(verdict.kind)

    async def _slow_mode(self, draft: Draft) -> SlowMode:
        """How long exactly the member has to wait is known to their row only."""
        async with self._database.read() as db:
            channel = await access.require(db, draft.channel_id, draft.sender_id, "read")
        seconds = max(1, math.ceil(channel.slow_mode_seconds))
        return SlowMode(f"One message per {seconds} s in this channel.", retry_after=seconds)


def _over_quota() -> RateLimited:
    """The window is one second, so the next one has space again."""
    names.RATE_LIMITED_TOTAL.labels(scope="channel_quota", transport="http").inc()
    return RateLimited("The channel has its messages of this second.", retry_after=1, scope="channel_quota")


def _client_id(given: str | None, header: str | None) -> str:
    """Either form; both must say the same. Quotes around the header's value are its structured form."""
    key = None if header is None else header.strip().removeprefix('"').removesuffix('"')
    if given is not None and key is not None and given != key:
        raise Invalid.field("body.client_id", "Differs from the Idempotency-Key header")
    chosen = given if given is not None else key
    if chosen is None:
        raise Invalid.field("body.client_id", "Needed, here or as the Idempotency-Key header", kind="missing")
    return chosen


def _posted(draft: Draft, verdict: Verdict) -> Message:
    """Built from what was posted: a replay carried the same, so its answer is equal to the first."""
    return _made(
        Message,
        id=verdict.message_id,
        channel_id=draft.channel_id,
        seq=verdict.seq,
        epoch=verdict.epoch,
        sender_id=draft.sender_id,
        client_id=draft.client_id,
        body=draft.body,
        format=draft.format,
        metadata=draft.metadata,
        reply_to=draft.reply_to,
        thread_root=verdict.thread_root,
        created_at=verdict.created_at,
        edited_at=None,
        deleted_at=None,
    )


def _made(model: type[A], **values: Any) -> A:
    """What this process built itself is not checked again."""
    return cast(A, model.model_construct(**values))


def _message(row: Row[Any]) -> Message:
    return Message.model_validate({**row._mapping, "metadata": row.meta})


def _page(
    below: Sequence[Row[Any]],
    above: Sequence[Row[Any]],
    most_below: int,
    most_above: int,
    *,
    at: int,
    older: bool = False,
    newer: bool = False,
) -> MessagePage:
    """Rows on both sides of seq `at`; one more than shown says that the list goes on, `older`/`newer` that it may.

    Where nothing is shown, the positions to go on from are those around `at`.
    """
    shown = [_message(row) for row in [*below[len(below) - min(len(below), most_below) :], *above[:most_above]]]
    first, last = (shown[0].seq, shown[-1].seq) if shown else (at, at - 1)
    return MessagePage(
        items=shown,
        before=first if older or len(below) > most_below else None,
        after=last if newer or len(above) > most_above else None,
    )


def _frame(event: Event) -> EventFrame:
    position = event.position
    return _made(
        EventFrame,
        channel=event.channel,
        epoch=position.epoch,
        seq=position.seq,
        type=event.type,
        id=event.id,
        time=event.time,
        data=event.data,
        trace=event.traceparent,
    )
