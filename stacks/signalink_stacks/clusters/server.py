"""Owns Postgres's programs in the pod of our chart: a dump out of it, a backup into a database beside, then the change.

They sign in over loopback by the password that lies in the pod: it never leaves it. The one who runs them needs the
right to `pods/exec` and no other.
"""

import hashlib
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.backups import files
from signalink_stacks.clusters import run

SECONDS: Final = 3600.0
QUICK_SECONDS: Final = 120.0
CHUNK: Final = 1 << 20
ERROR_CHARACTERS: Final = 2000
MISSING: Final = 127
"""Exit code of a shell that finds no such program."""
ATTEMPTS: Final = 3
PASSWORD: Final = "/run/secrets/signalink/postgres-admin"  # noqa: S105 - a path in the pod
SUM: Final = re.compile(r"^([0-9a-f]{64})\s+-\s*$", re.MULTILINE)
LEFT: Final = re.compile(r"^signalink-exit (\d+)$", re.MULTILINE)

# $1 file of the password, $2 port; then what a script says. mkfifo: not every shell has process substitution.
SIGN_IN: Final = 'PGPASSWORD="$(cat "$1")" || exit 1; export PGPASSWORD PGHOST=127.0.0.1 PGPORT="$2" PGUSER=postgres; '
FIFO: Final = 'f="$(mktemp -u)" && mkfifo "$f" || exit 1; trap \'rm -f "$f"\' EXIT; sha256sum <"$f" >&2 & '
NEED: Final = f'command -v "$4" >/dev/null || exit {MISSING}; '
DUMP: Final = f"""{SIGN_IN}{NEED}{FIFO}
{{ "$4" --format=custom --dbname="$3"; echo "signalink-exit $?" >&2; }} | tee "$f"; wait
"""
LOAD: Final = f"""{SIGN_IN}{NEED}{FIFO}
tee "$f" | {{ "$4" --exit-on-error --dbname="$3"; rc=$?; [ $rc != 0 ] || cat >/dev/null; exit $rc; }}
rc=$?; wait; exit $rc
"""
QUERY: Final = f"""{SIGN_IN}{NEED}
"$4" --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$3"
"""
FREE: Final = 'df -Pk "$3"'

SPACE: Final = "SHOW data_directory; SELECT pg_database_size({db});"
TIDY: Final = """
DROP DATABASE IF EXISTS {side_name} WITH (FORCE);
DROP DATABASE IF EXISTS {old_name} WITH (FORCE);
"""
# A database like the one that it will replace: locale, owner, and who may connect. Settings of roles are the server's.
BESIDE: Final = """
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LOCALE_PROVIDER %s LC_COLLATE %L LC_CTYPE %L',
        {side}, pg_get_userbyid(datdba), pg_encoding_to_char(encoding),
        CASE datlocprovider WHEN 'b' THEN 'builtin' WHEN 'i' THEN 'icu' ELSE 'libc' END, datcollate, datctype)
    || CASE datlocprovider WHEN 'b' THEN format(' BUILTIN_LOCALE %L', datlocale)
        WHEN 'i' THEN format(' ICU_LOCALE %L', datlocale) ELSE '' END
FROM pg_database WHERE datname = {db} \\gexec
REVOKE ALL ON DATABASE {side_name} FROM PUBLIC;
SELECT format('GRANT %s ON DATABASE %I TO %s', a.privilege_type, {side},
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
FROM pg_database d CROSS JOIN aclexplode(d.datacl) a WHERE d.datname = {db} \\gexec
"""
# Over loopback come the exporter of the pod, which only reads, and who looks in by port-forward.
OTHERS: Final = """
SELECT DISTINCT format('%s at %s', usename, host(client_addr)) FROM pg_stat_activity
WHERE datname = {db} AND backend_type = 'client backend' AND NOT client_addr <<= '127.0.0.0/8' AND client_addr <> '::1'
ORDER BY 1;
"""
# Both names change in one transaction: at every moment there is a whole database of that name.
CHANGE: Final = """
SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname IN ({db}, {side});
BEGIN;
ALTER DATABASE {db_name} RENAME TO {old_name};
ALTER DATABASE {side_name} RENAME TO {db_name};
COMMIT;
"""
IN_USE: Final = "being accessed by other users"


@dataclass(frozen=True, slots=True)
class Server:
    """`beside` puts a command beside the server: `kubectl exec ... --`, or nothing on this machine."""

    beside: Sequence[str]
    database: str
    password_file: str = PASSWORD
    port: int = 5432

    @property
    def side(self) -> str:
        """The database that a backup is read into."""
        return f"{self.database}_restored"

    @property
    def old(self) -> str:
        """What the replaced one is called until it is gone."""
        return f"{self.database}_replaced"

    def dump(self, file: Path) -> int:
        """Write the whole database into `file`; its size. DependencyUnavailable when it did not arrive whole."""
        with files.fresh(file) as half, half.open("wb") as out, tempfile.TemporaryFile() as said:
            words = self._script(DUMP, self.database, "pg_dump")
            with _started(words, subprocess.DEVNULL, subprocess.PIPE, said) as process:
                digest = _copy(process, out)
                code = _ended(process, "pg_dump")
            text = _text(said)
            exits = LEFT.findall(text)
            _require("pg_dump", code or int(exits[-1] if exits else 1), text)
            if SUM.findall(text)[-1:] != [digest]:
                raise DependencyUnavailable(
                    "The dump was cut off on its way out of the pod.", next_step="the same command again."
                )
        return file.stat().st_size

    def load(self, file: Path) -> None:
        """Read a backup into the empty database `side`, and count its rows for the planner."""
        with file.open("rb") as given, tempfile.TemporaryFile() as said:
            words = self._script(LOAD, self.side, "pg_restore")
            with _started(words, given, subprocess.DEVNULL, said) as process:
                code = _ended(process, "pg_restore")
            text = _text(said)
            _require("pg_restore", code, text)
            if SUM.findall(text)[-1:] != [files.sha256(file)]:
                raise DependencyUnavailable(
                    "The backup was cut off on its way into the pod.", next_step="the same command again."
                )
        self.query("ANALYZE;", self.side, SECONDS)

    def make_space(self, needed: int) -> None:
        """An empty database `side`, whatever an earlier try left. ConfigurationError when the disk cannot hold both."""
        self.tidy()
        folder, size = self.query(self._named(SPACE)).split()
        words = [*self.beside, "sh", "-c", FREE, "signalink", "", "", folder]
        free = int(run.ask(words, seconds=QUICK_SECONDS).splitlines()[-1].split()[3]) * 1024
        if free < max(int(size), needed):
            raise ConfigurationError(
                f"The disk of Postgres has {free / 1e6:.0f} MB free; a second database of at least "
                f"{max(int(size), needed) / 1e6:.0f} MB has to lie beside the present one for a while.",
                next_step="enlarge its volume, then the same command again.",
            )
        self.query(self._named(BESIDE))

    def others(self) -> list[str]:
        """Who is connected to the database over the network."""
        return self.query(self._named(OTHERS)).splitlines()

    def change(self) -> None:
        """Put `side` in the place of the database, at once; the replaced one stays as `old` until `tidy`."""
        for left in reversed(range(ATTEMPTS)):
            try:
                self.query(self._named(CHANGE))
            except DependencyUnavailable as error:
                if not left or IN_USE not in error.detail:
                    raise
            else:
                return

    def tidy(self) -> None:
        """Nothing of an attempt stays, and nothing of the database that was replaced."""
        self.query(self._named(TIDY))

    def query(self, statements: str, database: str = "postgres", seconds: float = QUICK_SECONDS) -> str:
        """What psql prints, a row a line."""
        words = self._script(QUERY, database, "psql")
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out:
            given.write(statements.encode())
            given.seek(0)
            with _started(words, given, out, said) as process:
                code = _ended(process, "psql", seconds)
            _require("psql", code, _text(said))
            return _text(out)

    def _script(self, script: str, database: str, program: str) -> list[str]:
        given = (self.password_file, str(self.port), database, program)
        return [*self.beside, "sh", "-c", script, "signalink", *given]

    def _named(self, statements: str) -> str:
        names = {"db": self.database, "side": self.side, "old": self.old}
        quoted = {key: "'" + name.replace("'", "''") + "'" for key, name in names.items()}
        return statements.format(
            **quoted, **{f"{key}_name": '"' + name.replace('"', '""') + '"' for key, name in names.items()}
        )


def _started(words: Sequence[str], given: "IO[bytes] | int", out: "IO[bytes] | int", said: IO[bytes]) -> "_Process":
    try:
        return subprocess.Popen(words, stdin=given, stdout=out, stderr=said)
    except FileNotFoundError as error:
        raise DependencyUnavailable(f"{words[0]} is not on PATH.", next_step=run.NEEDED) from error


def _copy(process: "_Process", out: IO[bytes]) -> str:
    """All that it prints; the sum of it. A program that takes too long is killed, and so has failed."""
    digest, late = hashlib.sha256(), threading.Timer(SECONDS, process.kill)
    late.daemon = True
    late.start()
    try:
        for chunk in _chunks(process.stdout):
            digest.update(chunk)
            out.write(chunk)
    finally:
        late.cancel()
    out.flush()
    return digest.hexdigest()


def _chunks(stream: IO[bytes] | None) -> Iterable[bytes]:
    while stream is not None and (chunk := stream.read(CHUNK)):
        yield chunk


def _ended(process: "_Process", name: str, seconds: float = SECONDS) -> int:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired as error:
        raise DependencyUnavailable(
            f"{name} took longer than {seconds:.0f} s.", next_step="look at the pod's processor, disk and locks."
        ) from error
    finally:
        if process.poll() is None:
            process.kill()


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")


def _require(name: str, code: int, text: str) -> None:
    if code == MISSING:
        raise ConfigurationError(
            f"The image of the Postgres pod has no {name}.",
            next_step="the official image has it; else back up by the server's own tools, then `--after`.",
        )
    if code:
        said = "\n".join(line for line in text.splitlines() if not SUM.match(line) and not LEFT.match(line))
        raise DependencyUnavailable(
            f"{name} failed in the pod (exit {code}): {said.strip()[-ERROR_CHARACTERS:]}",
            next_step="mend that and run the same command again.",
        )


_Process = subprocess.Popen[bytes]
