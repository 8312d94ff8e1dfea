"""The api's admin endpoint for channels, over HTTP, with the platform behind it in memory; and what can go wrong there.

One contract suite runs on it and on the real api. `Platform` is the contract as plain functions of documents.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from signalink_core.lifecycle import Lifecycle

Body = dict[str, Any]
PATH = "/v1/admin/channels/"
SCOPE = "channels:admin"
_SLUG = re.compile(r"[a-z0-9]([a-z0-9._+-]{0,98}[a-z0-9+])?")
_SHOWN = ("display_name", "description", "visibility", "quota", "event_topic")


class Problem(Exception):
    """The answer is an RFC 9457 problem."""

    def __init__(self, status: int, code: str, detail: str, **fields: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"status": status, "code": code, "detail": detail, **fields}


@dataclass
class Held:
    """One channel. `members` is user to role; `managed_by` None: people made it, or the holder let it go."""

    id: str
    managed_by: str | None
    shown: Body = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    archived: bool = False


@dataclass
class Platform:
    """`users` are the names that are known; `writes` counts what changed something."""

    users: set[str] = field(default_factory=lambda: {"ana", "ben", "cleo"})
    channels: dict[str, Held] = field(default_factory=dict)
    writes: int = 0

    def put(self, slug: str, document: Mapping[str, Any]) -> Body:
        """The whole channel; a repeat changes nothing."""
        if not _SLUG.fullmatch(slug):
            raise Problem(422, "validation", f"slug {slug!r} does not fit")
        held = self.channels.get(slug)
        if held is not None and held.archived:
            raise Problem(409, "archived", "The channel is archived.")
        if held is not None and held.managed_by != document["managed_by"] and not document["adopt"]:
            raise _elsewhere(held)
        before = None if held is None else _state(held)
        self._fits(held, document)
        held = self.channels.setdefault(slug, Held(str(uuid.uuid4()), document["managed_by"]))
        held.managed_by = document["managed_by"]
        held.shown = {key: document[key] for key in _SHOWN}
        unresolved, kept = self._members(held, document)
        changed = before != _state(held)
        self.writes += changed
        return {**self.get(slug), "unresolved": unresolved, "kept_owner": kept, "changed": changed}

    def get(self, slug: str) -> Body:
        held = self.channels.get(slug)
        if held is None:
            raise Problem(404, "not_found", "There is no such channel.")
        facts = {"id": held.id, "slug": slug, "managed_by": held.managed_by, "archived": held.archived}
        more = {"member_count": len(held.members), "unresolved": [], "kept_owner": False, "changed": False}
        return {**facts, **held.shown, **more}

    def delete(self, slug: str, managed_by: str, mode: str) -> None:
        held = self.channels.get(slug)
        if held is None:
            raise Problem(404, "not_found", "There is no such channel.")
        if held.archived and mode == "archive":
            return
        if held.managed_by != managed_by:
            raise _elsewhere(held)
        self.writes += 1
        if mode == "delete":
            del self.channels[slug]
        else:
            held.archived, held.managed_by = True, None

    def _fits(self, held: Held | None, document: Mapping[str, Any]) -> None:
        """A document whose members do not fit is refused as a whole; a lower bound removes nobody."""
        most = document["quota"]["max_members"]
        had = set() if held is None or document["members_policy"] == "exact" else set(held.members)
        known = {item["user"] for item in document["members"]} & self.users
        if most is not None and len(had | known) > most and known - (set(held.members) if held else set()):
            raise Problem(409, "conflict", "The channel has as many members as it may.", reason="channel_full")

    def _members(self, held: Held, document: Mapping[str, Any]) -> tuple[list[str], bool]:
        listed = {item["user"]: item["role"] for item in document["members"]}
        known = {user: role for user, role in listed.items() if user in self.users}
        after = known if document["members_policy"] == "exact" else {**held.members, **known}
        owners = {user for user, role in held.members.items() if role == "owner"}
        kept = bool(owners) and "owner" not in after.values()
        if kept:
            after = {**after, min(owners): "owner"}
        held.members = dict(sorted(after.items()))
        return sorted(user for user in listed if user not in self.users), kept


def _state(held: Held) -> Body:
    return {"managed_by": held.managed_by, "shown": dict(held.shown), "members": dict(held.members)}


def _elsewhere(held: Held) -> Problem:
    return Problem(409, "conflict", "Another manager holds it.", reason="managed_elsewhere", managed_by=held.managed_by)


class AdminApi(Lifecycle):
    """`tokens`: token to scope. `calls`: (method, slug) of each call let in. Faults: `fail`, `lose`, `hold`."""

    def __init__(self, platform: Platform | None = None) -> None:
        super().__init__()
        self.platform = platform or Platform()
        self.tokens = {"good": SCOPE}
        self.calls: list[tuple[str, str]] = []
        self.refused = 0
        """Calls that were answered 401."""
        self.hold: asyncio.Event | None = None
        """While set to an Event, calls wait for it before they do anything."""
        self.lose = 0
        """So many answers are lost: the call is carried out and the connection is cut."""
        self.url = ""
        self._port = 0
        self._faults: list[list[Any]] = []

    def fail(self, status: int, times: int = 1_000_000, **fields: Any) -> None:
        """Answer the next calls with a problem of this status; `heal` ends it."""
        self._faults.append([status, times, fields])

    def heal(self) -> None:
        self._faults.clear()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_route("*", PATH + "{slug}", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        self._resources.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        try:
            self._let_in(request)
            slug = request.match_info["slug"]
            self.calls.append((request.method, slug))
            if self.hold is not None:
                await self.hold.wait()
            self._maybe_fail()
            body = self._answer(request, slug, orjson.loads(await request.read() or b"null"))
        except Problem as problem:
            return _json(problem.body, problem.status)
        if self.lose > 0 and request.transport is not None:
            self.lose -= 1
            request.transport.abort()
        return web.Response(status=204) if body is None else _json(body, 200)

    def _let_in(self, request: web.Request) -> None:
        scope = self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if scope is None:
            self.refused += 1
            raise Problem(401, "unauthorised", "The token was refused: expired.")
        if SCOPE not in scope.split():
            raise Problem(403, "forbidden", f"The token has no scope {SCOPE}.")

    def _maybe_fail(self) -> None:
        for fault in self._faults:
            if fault[1] > 0:
                fault[1] -= 1
                raise Problem(fault[0], "unavailable", "A test wants this to fail.", **fault[2])

    def _answer(self, request: web.Request, slug: str, document: Any) -> Body | None:
        match request.method:
            case "PUT":
                return self.platform.put(slug, document)
            case "DELETE":
                self.platform.delete(slug, request.query["managed_by"], request.query["mode"])
                return None
        return self.platform.get(slug)


def _json(body: Body, status: int) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
