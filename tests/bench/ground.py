"""What a benchmark stands on: Postgres (durable, on disk), Valkey, the real api and gateway, people and channels.

Owns starting and ending them in a temporary folder. People and their memberships are rows written by the superuser;
their tokens are signed with the api's own key. Kafka and the relay are left out: no figure here passes through them.
"""

import asyncio
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from machine import Cpus, pinned

from signalink_core.auth.keys import KeyRing
from signalink_core.auth.tokens import TokenSigner
from signalink_core.clock import utc_now
from signalink_core.database import migrate, pool
from signalink_core.settings import LimitSettings
from signalink_core.testing import eventually
from signalink_stacks.local import layout, schema
from signalink_stacks.local.engines import PostgresEngine, ValkeyEngine
from signalink_stacks.local.engines.base import clean_environment, tail
from signalink_stacks.local.ports import LOOPBACK, free_port

HERE = Path(__file__).parent
READY_SECONDS = 40
TOKEN_HOURS = 4
LIMITS = {f"LIMITS_{name.upper()}": "10000000" for name in LimitSettings.model_fields}
"""Load comes from a few addresses; the limits are counted as ever, only never reached."""
USERS = """
INSERT INTO messaging.users (id, username, email, display_name, password_hash)
SELECT id, 'b' || n, 'b' || n || '@example.org', 'b' || n, '-' FROM unnest($1::uuid[]) WITH ORDINALITY u (id, n)
"""
CHANNELS = """
INSERT INTO messaging.channels (id, slug, name, kind, history, created_by, epoch)
SELECT id, 'b' || n, 'b' || n, 'public', 'all', $2, messaging.current_epoch()
FROM unnest($1::uuid[]) WITH ORDINALITY c (id, n)
"""
MEMBERS = (
    "INSERT INTO messaging.channel_members (channel_id, user_id, role) "
    "SELECT c, u, 'member' FROM unnest($1::uuid[], $2::uuid[]) AS m (c, u)",
    "INSERT INTO messaging.memberships (channel_id, user_id, from_seq) "
    "SELECT c, u, 1 FROM unnest($1::uuid[], $2::uuid[]) AS m (c, u)",
)


@dataclass
class Service:
    """A running process of the product, or of a peer."""

    name: str
    process: subprocess.Popen[bytes]
    http_port: int
    metrics_port: int
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def metric(self, name: str) -> dict[str, float]:
        """Labels in braces (or "") -> value of one sample name of its metrics page."""
        page = httpx.get(f"http://{LOOPBACK}:{self.metrics_port}/metrics", timeout=5, trust_env=False).text
        rows = [line.rsplit(" ", 1) for line in page.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return {row.removeprefix(name): float(value) for row, value in rows}


class Ground:
    """A context. Everything is in one folder, gone afterwards; `users` and `channels` as many as asked."""

    def __init__(self, cpus: Cpus, *, users: int, channels: int) -> None:
        self.cpus = cpus
        self.users = [uuid.UUID(int=(0x7000 << 64 | 0x8000 << 48) + 0x100000 + n) for n in range(users)]
        self.channels = [uuid.UUID(int=(0x7000 << 64 | 0x8000 << 48) + n) for n in range(channels)]
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        self.folder = Path(
            self._exits.enter_context(tempfile.TemporaryDirectory(prefix="signalink-bench-", dir=disk()))
        )
        with pinned(self.cpus.engines):
            self.postgres = self._exits.enter_context(PostgresEngine(self.folder / "postgres"))
            self.valkey = self._exits.enter_context(
                ValkeyEngine(self.folder / "valkey", credentials=self.postgres.credentials)
            )
        self.secrets = self.postgres.credentials
        self.keys = KeyRing.generate(self.secrets.folder("auth-keys"))
        asyncio.run(self._prepare())
        self.api_port, self.origin = free_port(), f"http://{LOOPBACK}:8000"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._exits.close()

    async def _prepare(self) -> None:
        await schema.bootstrap(self.secrets, self.postgres.port)
        await migrate.upgrade(schema.settings(self.secrets, self.postgres.port, "owner"))
        await self.execute(USERS, self.users)
        await self.execute(CHANNELS, self.channels, self.users[0])

    async def execute(self, statement: str, *arguments: Any) -> list[Any]:
        """As the superuser."""
        connection = await pool.connect(schema.settings(self.secrets, self.postgres.port, "admin"), command_timeout=120)
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    def join(self, pairs: Iterable[tuple[uuid.UUID, uuid.UUID]]) -> None:
        """(channel, user) become members from seq 1; then the tables are analysed, as a living database's are."""
        channels, users = zip(*dict.fromkeys(pairs), strict=True)
        for statement in MEMBERS:
            asyncio.run(self.execute(statement, channels, users))
        asyncio.run(self.execute("VACUUM ANALYZE"))

    def tokens(self) -> list[str]:
        """One token for a socket or a post per user, signed by the api's key."""
        signer, until = TokenSigner(self.keys, "signalink"), utc_now() + timedelta(hours=TOKEN_HOURS)
        return [signer.socket(user, uuid.uuid4(), until, None) for user in self.users]

    def service(self, name: str, *, slowed: str = "") -> Service:
        """`api` or `gateway` on the server's CPU, optionally with an injected slowdown."""
        return self._run(name, self.cpus.server, slowed)

    def keys_service(self) -> Service:
        """The api where it is not measured: a gateway fetches the public keys from it."""
        return self._run("api", self.cpus.engines, "")

    def _run(self, name: str, cpus: set[int], slowed: str) -> Service:
        http, metrics = (self.api_port if name == "api" else free_port()), free_port()
        command = [sys.executable, "-m", f"signalink_{name}"]
        if slowed:
            command = [sys.executable, str(HERE / "slowed.py"), name, slowed]
        service = self.start(name, command, cpus, self._environment(name, http, metrics), http, metrics)
        wait_ready(
            service, lambda: httpx.get(f"http://{LOOPBACK}:{metrics}/readyz", trust_env=False).status_code == 200
        )
        return service

    def _environment(self, name: str, http: int, metrics: int) -> dict[str, str]:
        ports = {"postgres": self.postgres.port, "valkey": self.valkey.port}
        api = f"http://{LOOPBACK}:{self.api_port}"
        values = {
            "HTTP_PORT": str(http),
            "METRICS_PORT": str(metrics),
            "API_URL": api,
            "GATEWAY_URL": f"ws://{LOOPBACK}:{http}/v1/socket",
            "AUTH_JWKS_URL": f"{api}/.well-known/jwks.json",
            "WS_ORIGINS": self.origin,
            "AUTH_KEYS_DIR": str(self.secrets.folder("auth-keys")),
            "AUTH_SECRET_FILE": str(self.secrets.path("auth-secret")),
            **layout.bindings(name, ["postgres", "redis"], ports, self.secrets),
            **LIMITS,
        }
        return {f"SIGNALINK_{key}": value for key, value in values.items()}

    def redis_environment(self) -> dict[str, str]:
        """Of the api's account: what a publisher, and a peer that follows the bus, need."""
        found = layout.bindings("api", ["redis"], {"valkey": self.valkey.port}, self.secrets)
        gateway = layout.bindings("gateway", ["redis"], {"valkey": self.valkey.port}, self.secrets)
        return {f"SIGNALINK_{key}": value for key, value in found.items()} | {
            f"READER_{key}": value for key, value in gateway.items()
        }

    def start(
        self, name: str, command: list[str], cpus: set[int], environment: Mapping[str, str], http: int, metrics: int = 0
    ) -> Service:
        """Any process, with its log in the folder; whoever starts it stops it, at the latest the end of the ground."""
        log = self.folder / f"{name}-{http}.log"
        with pinned(cpus), log.open("ab") as out:
            process = subprocess.Popen(
                command,
                env=clean_environment() | {"PYTHONPATH": str(HERE), **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        service = Service(name, process, http, metrics, log)
        self._exits.callback(service.stop)
        return service


def wait_ready(service: Service, ready: Callable[[], bool]) -> None:
    """Asks until it says yes; says what the process said when it does not."""

    def answers() -> bool:
        if service.process.poll() is not None:
            raise RuntimeError(f"{service.name} ended while starting:\n{tail(service.log)}")
        try:
            return ready()
        except (httpx.HTTPError, OSError):
            return False

    asyncio.run(eventually(answers, within=READY_SECONDS, every=0.05))


def disk() -> str:
    """A folder on a real disk: fsync on tmpfs costs nothing and would flatter every figure of posts."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    for folder in (tempfile.gettempdir(), "/var/tmp", str(Path.cwd())):  # noqa: S108 - TemporaryDirectory makes it ours
        under = max((path for path, _ in mounts if folder.startswith(path)), key=len)
        if dict(map(tuple, mounts)).get(under) not in {"tmpfs", "ramfs"}:
            return folder
    raise RuntimeError("No folder on a disk found; set TMPDIR to one.")
