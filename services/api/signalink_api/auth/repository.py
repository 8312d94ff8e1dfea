"""Statements on users, sessions, revocations and the audit log; every function takes the caller's connection."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, cast, func, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from signalink_api.tables import audit_log, revocations, sessions, users
from signalink_core.auth.tokens import ACCESS_LIFETIME
from signalink_core.ids import uuid7
from signalink_core.telemetry.trace import current_ids, current_traceparent

_age = func.extract("epoch", func.clock_timestamp() - sessions.c.rotated_at)


async def insert_user(db: AsyncConnection, **values: Any) -> Row[Any]:
    """IntegrityError when the username or the e-mail is taken."""
    made: Row[Any] = (await db.execute(insert(users).values(**values).returning(users))).one()
    return made


async def user_by_id(db: AsyncConnection, user_id: UUID) -> Row[Any] | None:
    return (await db.execute(select(users).where(users.c.id == user_id))).one_or_none()


async def user_by_login(db: AsyncConnection, username: str | None, email: str | None) -> Row[Any] | None:
    """By exactly one of the two, without regard to case."""
    column, given = (users.c.username, username) if username is not None else (users.c.email, email)
    return (await db.execute(select(users).where(func.lower(column) == func.lower(given)))).one_or_none()


async def set_password_hash(db: AsyncConnection, user_id: UUID, before: str, after: str) -> None:
    """Only if it is still the one that was verified."""
    await db.execute(
        update(users).where(users.c.id == user_id, users.c.password_hash == before).values(password_hash=after)
    )


async def insert_session(db: AsyncConnection, *, days: int, **values: Any) -> None:
    """One row per refresh token; it ends `days` from now by Postgres's clock."""
    expires = func.clock_timestamp() + func.make_interval(0, 0, 0, days)
    await db.execute(insert(sessions).values(id=uuid7(), expires_at=expires, **values))


async def family_of(db: AsyncConnection, refresh_hash: bytes) -> UUID | None:
    return (
        await db.execute(select(sessions.c.family_id).where(sessions.c.refresh_hash == refresh_hash))
    ).scalar_one_or_none()


async def lock_family(db: AsyncConnection, family_id: UUID) -> None:
    """The row of generation 0 is the family's lock: refresh, reuse and logout take it first, so none deadlocks."""
    await db.execute(
        select(sessions.c.id).where(sessions.c.family_id == family_id, sessions.c.generation == 0).with_for_update()
    )


async def lock_open_families(db: AsyncConnection, user_id: UUID) -> list[UUID]:
    """The user's sessions with a token that is good still; locked as by `lock_family`, in the order of their ids."""
    newest = sessions.alias()
    lives = (
        select(newest.c.id)
        .where(newest.c.family_id == sessions.c.family_id, newest.c.rotated_at.is_(None))
        .where(newest.c.expires_at > func.clock_timestamp() - ACCESS_LIFETIME)
        .exists()
    )
    statement = (
        select(sessions.c.family_id)
        .where(sessions.c.user_id == user_id, sessions.c.generation == 0, sessions.c.revoked_at.is_(None), lives)
        .order_by(sessions.c.family_id)
        .with_for_update(of=sessions)
    )
    return list((await db.execute(statement)).scalars())


async def session_by_hash(db: AsyncConnection, refresh_hash: bytes) -> Row[Any] | None:
    """The session with `age` (seconds since it was rotated), `expired`, and whether its user is disabled."""
    return (
        await db.execute(
            select(
                sessions,
                _age.label("age"),
                (sessions.c.expires_at <= func.clock_timestamp()).label("expired"),
                users.c.disabled_at,
            )
            .join(users, users.c.id == sessions.c.user_id)
            .where(sessions.c.refresh_hash == refresh_hash)
        )
    ).one_or_none()


async def is_unused(db: AsyncConnection, family_id: UUID, generation: int) -> bool:
    """Whether the token of this generation exists and was not presented yet."""
    statement = select(sessions.c.rotated_at).where(
        sessions.c.family_id == family_id, sessions.c.generation == generation, sessions.c.revoked_at.is_(None)
    )
    row = (await db.execute(statement)).one_or_none()
    return row is not None and row.rotated_at is None


async def mark_rotated(db: AsyncConnection, session_id: UUID) -> None:
    await db.execute(update(sessions).where(sessions.c.id == session_id).values(rotated_at=func.clock_timestamp()))


async def revoke_family(db: AsyncConnection, family_id: UUID, reason: str) -> bool:
    """End a session for good and tell every process through `revocations`; False when it had ended before."""
    ended = await db.execute(
        update(sessions)
        .where(sessions.c.family_id == family_id, sessions.c.revoked_at.is_(None))
        .values(revoked_at=func.clock_timestamp(), reason=reason)
    )
    if not ended.rowcount:
        return False
    await db.execute(insert(revocations).values(subject_kind="session", subject_id=family_id, reason=reason))
    return True


async def audit(db: AsyncConnection, actor_id: UUID | None, action: str, target: str, **details: Any) -> None:
    ids = current_ids()
    await db.execute(
        insert(audit_log).values(
            actor_id=actor_id, action=action, target=target, details=details, trace_id=ids[0] if ids else None
        )
    )


async def record_fact(db: AsyncConnection, kind: str, user_id: UUID) -> None:
    """A fact for analytics about a user, in the caller's transaction."""
    fact = {
        "type": kind,
        "aggregatetype": "user",
        "aggregateid": str(user_id),
        "payload": {"user_id": str(user_id)},
        "event_id": str(uuid7()),
        "traceparent": current_traceparent(),
    }
    await db.execute(select(func.messaging.record_fact(cast(fact, JSONB))))
