"""The public side of analytics under test: real users and channels of a real api, windows written as the consumer does.

The clock of the figures is `now`; tokens and limits go by the real one. Fixtures are conftest's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from apiworld import GENEROUS, ORIGIN, Person, World

from signalink_analytics import GROUP
from signalink_analytics.kinds import MESSAGE_COLUMNS, NO_CHANNEL, SHARED, USER_COLUMNS
from signalink_analytics.public import PublicGroups, PublicSettings, PublicSide
from signalink_analytics.settings import Retention
from signalink_core.readiness import Readiness
from signalink_core.settings import AuthSettings, EdgeSettings, KafkaSettings, LimitSettings, RedisSettings

URL = "http://127.0.0.1:8003"
NOW = datetime(2026, 3, 10, 12, 34, 56, 789_000, UTC)
HOUR = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TOPICS = ("analytics", "messages", "presence")


@dataclass
class Settings:
    """What a test may change: limits, retention, how long a public answer may be, Redis."""

    folder: Path
    redis: RedisSettings
    limits: Mapping[str, int]
    retention: Retention

    def groups(self, world: World) -> PublicGroups:
        secret = self.folder / "analytics-secret"
        secret.write_text("s" * 43)
        return PublicGroups(
            postgres=world.database.settings("analytics"),
            redis=self.redis,
            kafka=KafkaSettings(bootstrap="127.0.0.1:1", security="plaintext"),
            auth=AuthSettings(jwks_url=f"{ORIGIN}/.well-known/jwks.json"),
            edge=EdgeSettings(ws_origins=(ORIGIN,), analytics_url=URL),
            limits=LimitSettings(**{**GENEROUS, **self.limits}),
            retention=self.retention,
            public=PublicSettings(secret_file=secret),
        )


class FigureWorld:
    """`api`: where people and channels are made. `lag`: what Kafka is said to hold; `now`: the figures' clock."""

    def __init__(self, api: World, settings: Settings) -> None:
        self.api = api
        self.now = NOW
        self.lag: dict[str, int] | None = dict.fromkeys(TOPICS, 0)
        self.readiness = Readiness(["postgres"])
        self._admin: Any = None
        self.side = PublicSide(
            settings.groups(api), self.readiness, api=api.transport, lag=self._told, now=lambda: self.now
        )

    async def _told(self) -> dict[str, int] | None:
        return self.lag

    async def start(self) -> None:
        await self.side.start()
        assert self.side.asgi is not None
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.side.asgi), base_url=URL)

    async def stop(self) -> None:
        await self.http.aclose()
        if self._admin is not None:
            self._admin.terminate()
        await self.side.stop()

    async def get(self, person: Person | None, path: str, /, **query: Any) -> httpx.Response:
        """`start`, `end` in the query are `from`, `to`."""
        names = {"start": "from", "end": "to"}
        params = {names.get(name, name): _text(value) for name, value in query.items()}
        headers = {"Authorization": f"Bearer {person.access}"} if person is not None else {}
        return await self.http.get(f"/v1/analytics{path}", params=params, headers=headers)

    async def ok(self, person: Person, path: str, /, **query: Any) -> Any:
        answer = await self.get(person, path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def sql(self, statement: str, *arguments: Any) -> list[Any]:
        """As the super user, on one connection."""
        if self._admin is None or self._admin.is_closed():
            self._admin = await self.api.database.connect()
        rows: list[Any] = await self._admin.fetch(statement, *arguments)
        return rows

    async def count(
        self,
        at: datetime,
        *,
        user: str | None = None,
        channel: str | None = None,
        lengths: list[int] | None = None,
        responses: list[int] | None = None,
        response_ms: int = 0,
        part: int = 0,
        **counters: int,
    ) -> None:
        """Counters of the minute of `at`, in the rows of the platform, the channel and the user."""
        window = at.replace(second=0, microsecond=0)
        more = {"events": sum(counters.values())}
        await self._add("message_metrics", {"window_start": window, "part": part}, MESSAGE_COLUMNS, more | counters)
        if channel is not None:
            arrays = {"lengths": lengths or [], "responses": responses or []}
            key = {"window_start": window, "channel_id": UUID(channel)}
            await self._add("channel_metrics", key, (*SHARED, "response_ms"), counters | {"response_ms": response_ms})
            await self.sql(
                "UPDATE analytics.channel_metrics SET lengths = analytics.plus(lengths, $3),"
                " responses = analytics.plus(responses, $4) WHERE window_start = $1 AND channel_id = $2",
                *key.values(),
                *arrays.values(),
            )
        if user is not None:
            key = {"window_start": window, "user_id": UUID(user), "channel_id": UUID(channel or NO_CHANNEL)}
            await self._add("user_metrics", key, USER_COLUMNS, counters)

    async def _add(self, table: str, key: dict[str, Any], known: tuple[str, ...], counters: dict[str, int]) -> None:
        names = [name for name in known if name in counters]
        if not names:
            return
        places = ", ".join(f"${number}" for number in range(1, len(key) + len(names) + 1))
        added = ", ".join(f"{name} = m.{name} + excluded.{name}" for name in names)
        await self.sql(
            f"INSERT INTO analytics.{table} AS m ({', '.join([*key, *names])}) VALUES ({places})"
            f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {added}",
            *key.values(),
            *(counters[name] for name in names),
        )

    async def watermark(self, moment: datetime | None, *topics: str) -> None:
        """Say how far the consumer is, in all topics or some."""
        for topic in topics or TOPICS:
            await self.sql(
                "INSERT INTO analytics.offsets (consumer_group, topic, partition, next_offset, watermark)"
                " VALUES ($1, $2, 0, 1, $3)"
                " ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET watermark = excluded.watermark",
                GROUP,
                topic,
                moment,
            )

    async def presence(self, user: str, *changes: tuple[datetime, str]) -> None:
        for at, state in changes:
            await self.sql(
                "INSERT INTO analytics.presence_changes (user_id, changed_at, event_id, state)"
                " VALUES ($1, $2, gen_random_uuid(), $3)",
                UUID(user),
                at,
                state,
            )
            await self.sql(
                "INSERT INTO analytics.presence_now (user_id, state, changed_at) VALUES ($1, $3, $2)"
                " ON CONFLICT (user_id) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at",
                UUID(user),
                at,
                state,
            )


def _text(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def points(answer: Any, name: str) -> list[Any]:
    """One figure of a series."""
    return [point[name] for point in answer["points"]]
