"""A platform of one's own for an end-to-end program: started by `signalink` in a temporary folder on free ports.

Owns starting it, asking it (status, metrics, fault points, accounts of the engines) and always taking it down. Pids
come from `signalink status --json` only.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import stores

from signalink_core.settings import KafkaSettings, PostgresSettings
from signalink_stacks.local import layout
from signalink_stacks.local.state import ProcessRecord, StateFolder

COMMAND = Path(sys.executable).with_name("signalink")
UP_SECONDS = 400
DOWN_SECONDS = 90
REPLAY_PROFILE = {
    "LIMITS_POSTS_PER_SECOND_PER_USER": "100000",
    "LIMITS_POSTS_PER_SECOND_PER_CHANNEL": "100000",
    "LIMITS_REQUESTS_PER_SECOND_PER_USER": "100000",
    "LIMITS_REQUESTS_PER_SECOND_PER_IP": "100000",
    "LIMITS_LOGINS_PER_MINUTE_PER_ACCOUNT": "1000",
    "LIMITS_LOGINS_PER_MINUTE_PER_IP": "100000",
    "LIMITS_REGISTRATIONS_PER_HOUR_PER_IP": "100000",
    "LIMITS_CONNECTS_PER_SECOND_PER_IP": "1000",
    "LIMITS_SOCKETS_PER_IP": "1000",
    "LIMITS_SUBSCRIPTIONS_PER_SOCKET": "500",
}
"""The limits of one address and one user, raised because the whole crowd shares one address."""


class PlatformFailed(Exception):
    """A `signalink` command failed, or a process did not come back."""


class Platform:
    """A context: up on entry, down on exit, whatever happened between. The folder is kept when `keep` is set."""

    def __init__(
        self, settings: Mapping[str, str], *, faults: bool = False, scale: Mapping[str, int] | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="signalink-e2e-"))
        self.state = self.folder / "state"
        self.keep = False
        self._settings = settings
        self._faults = faults
        self._scale = scale or {}

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        arguments = ["up", "--ports", "free", "--json", *(["--faults"] if self._faults else [])]
        for key, value in self._settings.items():
            arguments += ["--set", f"{key}={value}"]
        for service, count in self._scale.items():
            arguments += ["--scale", f"{service}={count}"]
        try:
            began = time.monotonic()
            self.signalink(arguments, UP_SECONDS)
            status = self.status()
            self._ports: Mapping[str, int] = self._state_of().ports
            self.urls: Mapping[str, str] = status["urls"]
            say(f"platform up after {time.monotonic() - began:.1f} s: {status['engines']}")
        except BaseException:
            self.keep = True
            self._take_down()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.keep |= error is not None
        self._take_down()

    def _take_down(self) -> None:
        if self.keep:
            shutil.copytree(self.state / "logs", self.folder / "logs", dirs_exist_ok=True)
        self.signalink(["down", "--purge"], DOWN_SECONDS)
        if self.keep:
            say(f"logs and histories are kept in {self.folder}")
        else:
            shutil.rmtree(self.folder)

    def signalink(self, arguments: Sequence[str], seconds: int, *, codes: Sequence[int] = (0,)) -> str:
        """Answer what a command prints; PlatformFailed for another exit code than those expected."""
        environment = os.environ | {"SIGNALINK_STATE": str(self.state)}
        done = subprocess.run(
            [str(COMMAND), *arguments], env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode not in codes:
            raise PlatformFailed(f"signalink {arguments[0]} exited {done.returncode}:\n{done.stderr}{done.stdout}")
        return done.stdout

    def _state_of(self) -> Any:
        state = StateFolder(self.state).read()
        if state is None:
            raise PlatformFailed(f"there is no state in {self.state}")
        return state

    def status(self) -> Mapping[str, Any]:
        """Answer `signalink status --json`; exit 1 (something is not healthy) is an answer too."""
        report: Mapping[str, Any] = json.loads(self.signalink(["status", "--json"], 30, codes=(0, 1)))
        return report

    def process(self, name: str) -> Mapping[str, Any]:
        """Answer one process of the status by its name, as `api-0` or `kafka`."""
        return next(process for process in self.status()["processes"] if process["name"] == name)

    def child(self, name: str) -> ProcessRecord:
        """Answer what the supervisor last wrote about one process: quick, and nothing is measured."""
        record: ProcessRecord = self._state_of().process(name)
        return record

    def restarts(self) -> dict[str, int]:
        """Answer how often the supervisor has started each process again."""
        return {process.name: process.restarts for process in self._state_of().processes}

    def back(self, name: str, pid: int) -> bool:
        """Whether the supervisor has put another, ready process in the place of that pid."""
        process = self.process(name)
        return process["pid"] not in (None, pid) and process["health"] == "ready"

    def metric(self, process: str, name: str) -> float:
        """Answer the sum of a metric over its labels, from the process's internal port."""
        page = httpx.get(self._internal(process) + "/metrics", timeout=5, trust_env=False).text
        rows = [line.rsplit(" ", 1) for line in page.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(value) for _, value in rows)

    def fault(self, process: str, **fault: Any) -> None:
        """Set a fault point of a process."""
        self._control("PUT", process, json=fault)

    def end_faults(self, process: str) -> None:
        self._control("DELETE", process)

    def faults(self, process: str) -> list[Mapping[str, Any]]:
        """Answer the faults that are set, each with how often its point was asked and fired."""
        found: list[Mapping[str, Any]] = self._control("GET", process)["faults"]
        return found

    def _control(self, method: str, process: str, **more: Any) -> Mapping[str, Any]:
        token = StateFolder(self.state).secrets.read("faults-token")
        headers = {"Authorization": f"Bearer {token}"}
        url = self._internal(process) + "/faults"
        answer = httpx.request(method, url, headers=headers, timeout=5, trust_env=False, **more).raise_for_status()
        document: Mapping[str, Any] = answer.json()
        return document

    def _internal(self, process: str) -> str:
        return f"http://127.0.0.1:{self.child(process).ports['metrics']}"

    def postgres(self, principal: str) -> PostgresSettings:
        """Answer the settings of a principal's account, for dumps."""
        found = self._binding(principal, "postgres")
        return PostgresSettings(dsn=found["POSTGRES_DSN"], password_file=Path(found["POSTGRES_PASSWORD_FILE"]))

    def kafka(self, principal: str) -> KafkaSettings:
        """Answer the settings of a principal's account, for dumps."""
        found = self._binding(principal, "kafka")
        return KafkaSettings(
            bootstrap=found["KAFKA_BOOTSTRAP"],
            user=found["KAFKA_USER"],
            password_file=Path(found["KAFKA_PASSWORD_FILE"]),
            security=found["KAFKA_SECURITY"],  # type: ignore[arg-type]
        )

    async def log(self, channels: Collection[str]) -> list[stores.Told]:
        """Answer the events of these channels in the event log."""
        return await stores.log(self.postgres("relay"), channels)

    async def topic(self, channels: Collection[str], wanted: int, within: float) -> list[stores.Told]:
        """Answer those in Kafka, once so many different ones are there."""
        return await stores.topic(self.kafka("prober"), channels, wanted, within)

    def _binding(self, principal: str, engine: str) -> Mapping[str, str]:
        return layout.bindings(principal, [engine], self._ports, StateFolder(self.state).secrets)


def concluded(name: str, program: Callable[[], bool]) -> int:
    """Answer the exit code; a program that breaks off says so in its last line like one that falls short."""
    try:
        return 0 if program() else 1
    except Exception as error:
        traceback.print_exc()
        say(f"{name}: broke off: {error!r} (bar: it finishes) missed")
        return 1


def say(line: str) -> None:
    """Print at once: these programs are watched."""
    print(line, flush=True)  # noqa: T201 - a program's output
