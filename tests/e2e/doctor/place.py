"""The platform of this proof: a state folder of its own, the installed command, people who post and read."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from signalink_core.client.api import ApiClient
from signalink_core.client.socket import SocketClient

Done = subprocess.CompletedProcess[str]
COMMAND = Path(sys.executable).parent / "signalink"
LONG = 300
SEATED_SECONDS = 20.0


class Failed(Exception):
    """A case did not end as it must."""


def expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Failed(otherwise)


def say(line: str) -> None:
    """Print at once: these programs are watched."""
    print(line, flush=True)  # noqa: T201 - a program's output


class Place:
    """`root` is the state folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *arguments: str, state: Path | None = None, limit: int | None = None) -> Done:
        """The command on this state folder (or another), with at most `limit` open files."""
        command = [str(COMMAND), *arguments]
        if limit is not None:
            command = ["sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh", *command]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SIGNALINK_")}
        return subprocess.run(
            command,
            env=kept | {"SIGNALINK_STATE": str(state or self.root)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONG,
            check=False,
        )

    def document(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
        done = self.run(*arguments, "--json")
        expect(done.returncode in codes, f"{' '.join(arguments)} exited {done.returncode}: {done.stdout}{done.stderr}")
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def up(self) -> str:
        done = self.run("up", "--ports", "free")
        expect(done.returncode == 0, f"up exited {done.returncode}: {done.stderr}")
        return done.stdout

    def pid(self, name: str) -> int:
        """Of a child, or of the supervisor, from the state file."""
        state = json.loads((self.root / "state.json").read_text())
        if name == "supervisor":
            return int(state["supervisor_pid"])
        return int(next(each["pid"] for each in state["processes"] if each["name"] == name))

    def signal(self, name: str, number: signal.Signals) -> int:
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def rules(self) -> dict[str, dict[str, str]]:
        """What the doctor says, by rule."""
        return {rule["name"]: rule for rule in self.document("doctor", codes=(0, 3))["rules"]}


class Author:
    """A user in a channel of theirs with an open socket."""

    def __init__(self, api: ApiClient, channel: str) -> None:
        self.api = api
        self.channel = channel

    async def post(self, body: str) -> str:
        """The message's id."""
        return str((await self.api.post_message(self.channel, body)).id)


@asynccontextmanager
async def somebody(urls: dict[str, str]) -> AsyncIterator[Author]:
    name, password = f"ada-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    async with ApiClient(urls["api"]) as api:
        await api.register(name, f"{name}@example.org", password)
        await api.login(name, password)
        channel = str((await api.create_channel(name, "Ships"))["id"])
        seated = asyncio.Event()
        socket = SocketClient(
            urls["gateway"],
            api.ticket,
            on_frame=lambda raw: seated.set() if b'"subscribed"' in raw else None,
            origin=urls["api"],
            proxy=False,
        )
        async with socket:
            await socket.subscribe({channel: None})
            await asyncio.wait_for(seated.wait(), SEATED_SECONDS)
            yield Author(api, channel)
