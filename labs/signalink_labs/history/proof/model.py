"""A seeded model of a correct platform under load, which writes the history that a clean run would leave.

Owns what is legal and must never be reported: refused and unknown posts, retries answered by a replay, joins and
leaves, views that start late, reconnect or read a body blanked by its deletion, and Kafka batches that come twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from signalink_labs.history.lines import BLANK, CREATED, DELETED, Kind, Line, Subject, encode, text_hash
from signalink_labs.history.reader import MemorySource

Files = dict[str, list[Line]]
"""Process name -> its lines."""


def sources(files: Files) -> list[MemorySource]:
    """Answer the files as the checker reads them."""
    return [MemorySource(name, [encode(line) for line in lines]) for name, lines in files.items()]


@dataclass
class _Event:
    seq: int
    id: str
    kind: str
    key: str
    hash: str
    user: str


@dataclass
class _Channel:
    name: str
    events: list[_Event] = field(default_factory=list)
    members: dict[str, list[list[int | None]]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def entitled(self, user: str, seq: int) -> bool:
        return any(
            first is not None and first <= seq and (last is None or seq <= last)
            for first, last in self.members.get(user, [])
        )

    def is_member(self, user: str) -> bool:
        return bool(self.members.get(user)) and self.members[user][-1][1] is None


@dataclass
class _View:
    name: str
    user: str
    proc: str
    shown: dict[str, int] = field(default_factory=dict)


class Model:
    """One run of `steps` random steps; `files` is its history."""

    def __init__(self, seed: int, *, steps: int = 80, channels: int = 3, users: int = 4, views: int = 4) -> None:
        self.random = Random(seed)  # noqa: S311 - reproducible on purpose
        self.files: Files = {}
        self._now = 1_000_000
        self._made = 0
        self._users = [f"u{n}" for n in range(users)]
        self._channels = [_Channel(f"c{n}") for n in range(channels)]
        self._log: list[tuple[_Channel, _Event]] = []
        self._views = [_View(f"v{n}", self._users[n % users], f"reader-{n % 2}") for n in range(views)]
        self._begin()
        self._run(steps)
        self._finish()

    def _begin(self) -> None:
        for channel in self._channels:
            for user in self._users:
                channel.members[user] = [[1, None]]
        stranger = self._views[-1].user  # one view is not entitled to the last channel
        del self._channels[-1].members[stranger]
        for channel in self._channels:
            for view in self._views:
                if channel.is_member(view.user):
                    self._start(view, channel, 0)
        for channel in self._channels:
            for _ in range(3):
                self._post(channel)
        self._refuse(self._channels[0])

    def _run(self, steps: int) -> None:
        actions = [self._post, self._refuse, self._unknown, self._leave_or_join, self._delete]
        for _ in range(steps):
            channel = self.random.choice(self._channels)
            self.random.choices(actions, weights=[8, 1, 3, 1, 1])[0](channel)
            for view in self._views:
                self._show(view, self.random.choice(self._channels), self.random.randrange(4))
            if self.random.random() < 0.1:
                self._reconnect(self.random.choice(self._views))

    def _finish(self) -> None:
        for view in self._views:
            self._emit(view.proc, "invoke", "drain", view=view.name)
            for channel in self._channels:
                self._show(view, channel, len(channel.events))
            self._emit(view.proc, "ok", "drain", view=view.name)
        for channel in self._channels:
            for user, intervals in channel.members.items():
                for first, last in intervals:
                    self._emit("dumps", "ok", "member", user=user, ch=channel.name, seq=first, to=last)
        self._emit("dumps", "ok", "drain")
        for channel in self._channels:
            self._read(channel, self.random.choice(list(channel.members)))
        self._dump("postgres", self._log, blanked=self.random.random() < 0.5)
        self._dump("kafka", list(self._repeated()), blanked=False)
        for proc, lines in self.files.items():
            self._emit(proc, "note", "end", n=len(lines))

    def _emit(self, proc: str, kind: Kind, subject: Subject, /, **fields: Any) -> None:
        lines = self.files.setdefault(proc, [])
        self._now += self.random.randrange(1, 1000)
        lines.append(Line(i=len(lines), mono_ns=self._now, proc=proc, type=kind, f=subject, **fields))

    def _name(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}{self._made}"

    def _append(self, channel: _Channel, kind: str, user: str, *, key: str = "", hashed: str | None = None) -> _Event:
        name = self._name("m" if kind == CREATED else "e")
        event = _Event(len(channel.events) + 1, name, kind, key, hashed or text_hash(name), user)
        channel.events.append(event)
        self._log.append((channel, event))
        return event

    def _sender(self, channel: _Channel) -> str | None:
        members = [user for user in self._users if channel.is_member(user)]
        return self.random.choice(members) if members else None

    def _client(self, user: str) -> str:
        return f"client-{self._users.index(user) % 2}"

    def _invoke(self, channel: _Channel, user: str) -> dict[str, Any]:
        key = self._name("k")
        send = {"user": user, "ch": channel.name, "key": key, "hash": text_hash(key)}
        self._emit(self._client(user), "invoke", "send", **send)
        return send

    def _post(self, channel: _Channel) -> None:
        user = self._sender(channel)
        if user is None:
            return
        send = self._invoke(channel, user)
        event = self._append(channel, CREATED, user, key=send["key"], hashed=send["hash"])
        self._emit(self._client(user), "ok", "send", **send, id=event.id, seq=event.seq)

    def _refuse(self, channel: _Channel) -> None:
        send = self._invoke(channel, self.random.choice(self._users))
        self._emit(self._client(send["user"]), "fail", "send", **send, code="rate_limited")

    def _unknown(self, channel: _Channel) -> None:
        """A post without an answer: it landed or not, and its client retries it or gives up."""
        user = self._sender(channel)
        if user is None:
            return
        send = self._invoke(channel, user)
        proc = self._client(user)
        event = None
        if self.random.random() < 0.5:
            event = self._append(channel, CREATED, user, key=send["key"], hashed=send["hash"])
        self._emit(proc, "info", "send", **send, code="timeout")
        for _ in range(self.random.randrange(3)):
            self._emit(proc, "invoke", "send", **send)
            event = event or self._append(channel, CREATED, user, key=send["key"], hashed=send["hash"])
            self._emit(proc, "ok", "send", **send, id=event.id, seq=event.seq)

    def _leave_or_join(self, channel: _Channel) -> None:
        user = self.random.choice(self._users)
        if channel.is_member(user):
            event = self._append(channel, "member.left", user)
            channel.members[user][-1][1] = event.seq
        elif user in channel.members:
            event = self._append(channel, "member.joined", user)
            channel.members[user].append([event.seq, None])

    def _delete(self, channel: _Channel) -> None:
        alive = [event for event in channel.events if event.kind == CREATED and event.id not in channel.deleted]
        if alive:
            target = self.random.choice(alive)
            channel.deleted.add(target.id)
            self._append(channel, DELETED, target.user, key=target.id)

    def _start(self, view: _View, channel: _Channel, after: int) -> None:
        view.shown[channel.name] = after
        self._emit(view.proc, "ok", "resume", user=view.user, view=view.name, ch=channel.name, seq=after)

    def _reconnect(self, view: _View) -> None:
        for channel in self._channels:
            if channel.name in view.shown:
                self._start(view, channel, view.shown[channel.name])

    def _show(self, view: _View, channel: _Channel, count: int) -> None:
        if channel.name not in view.shown:
            return
        for event in channel.events[view.shown[channel.name] :][:count]:
            view.shown[channel.name] = event.seq
            if channel.entitled(view.user, event.seq):
                fields = self._row(channel, event, blanked=True) | {"user": view.user}
                self._emit(view.proc, "ok", "recv", view=view.name, node="gateway-0", **fields)

    def _row(self, channel: _Channel, event: _Event, *, blanked: bool) -> dict[str, Any]:
        blank = blanked and event.id in channel.deleted
        return {
            "user": event.user,
            "ch": channel.name,
            "seq": event.seq,
            "id": event.id,
            "key": event.key or None,
            "kind": event.kind,
            "hash": BLANK if blank else event.hash,
        }

    def _read(self, channel: _Channel, user: str) -> None:
        """A page over HTTP: what the user is entitled to, as it is now."""
        for event in channel.events:
            if channel.entitled(user, event.seq):
                self._emit("dumps", "ok", "read", **self._row(channel, event, blanked=True) | {"user": user})

    def _repeated(self) -> Iterable[tuple[_Channel, _Event]]:
        """Yield the log in order with some batches twice, as a relay that was killed leaves it."""
        done = 0
        while done < len(self._log):
            upto = min(len(self._log), done + self.random.randrange(1, 10))
            yield from self._log[done:upto]
            if self.random.random() < 0.2:
                yield from self._log[done:upto]
            done = upto

    def _dump(self, store: str, rows: list[tuple[_Channel, _Event]], *, blanked: bool) -> None:
        for channel, event in rows:
            self._emit("dumps", "note", "dump", view=store, **self._row(channel, event, blanked=blanked))
        self._emit("dumps", "ok", "dump", view=store, n=len(rows))
