"""Owns one Apache Kafka 4.4 node (KRaft, broker and controller in one) with SCRAM users and the standard authorizer.

Every SCRAM user of `signalink_core.principals` is made when the data is formatted: the salted words go to the format
tool in a 0600 argument file, so no command line ever shows them. Leaves ACLs to `signalink_core.kafka.access` and
topics to the operator.
"""

import secrets
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

from signalink_core import principals
from signalink_core.provision.kafka import NODE, SMALL, credentials, quoted, scram
from signalink_stacks.local.credentials import Credentials, write_private
from signalink_stacks.local.engines import jars
from signalink_stacks.local.engines.base import Engine, EngineFailed, Launch, clean_environment
from signalink_stacks.local.ports import LOOPBACK, exchange, free_port

FLAGS = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Xlog:disable",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)
API_VERSIONS = struct.pack("!ihhih", 10, 18, 0, 0x51676E6C, -1)
"""A whole request: length, api key 18 in version 0, correlation id (the answer repeats it), no client id."""
SIZES = SMALL | {
    # Measured: each line saves memory or seconds on one node; the reasons stand in docs/decisions.
    "broker.session.timeout.ms": "2000",  # else 11 s until it is back after a kill
    "broker.heartbeat.interval.ms": "250",
    "controller.quorum.append.linger.ms": "1",  # else 25 ms for each admin write
    "log.cleaner.dedupe.buffer.size": "2097152",  # else +128 MB of heap
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "group.initial.rebalance.delay.ms": "0",
}


def cluster_id() -> str:
    """16 random bytes in base64url; never a leading '-', which the format tool takes for an option."""
    while (text := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return text


def setup() -> None:
    """Fetch the jars and train the JVM's cache by one short life of a broker. Once per machine and environment."""
    jars.class_path()
    if jars.aot_cache().exists():
        return
    with jars.exclusive("train"):
        target = jars.aot_cache()
        if not target.exists():
            fresh = target.with_suffix(".training")
            with tempfile.TemporaryDirectory() as directory:
                engine = KafkaEngine(Path(directory), jvm_flags=(f"-XX:AOTCacheOutput={fresh}",))
                try:
                    engine.start(within=120)
                finally:
                    engine.stop(within=120)
            fresh.replace(target)
            jars.prune()


class KafkaEngine(Engine):
    """`jvm_flags` replace the use of the AOT cache (training). `properties` are added to server.properties."""

    name: ClassVar[str] = "kafka"
    stop_seconds: ClassVar[float] = 15

    def __init__(
        self,
        directory: Path,
        port: int = 0,
        *,
        credentials: Credentials | None = None,
        controller_port: int = 0,
        properties: dict[str, str] | None = None,
        jvm_flags: tuple[str, ...] = (),
    ) -> None:
        super().__init__(directory, port, credentials=credentials)
        self.controller_port = controller_port or free_port()
        self.properties = properties or {}
        self.jvm_flags = jvm_flags
        self.data = self.directory / "data"

    @classmethod
    def version(cls) -> str:
        return jars.kafka_version()

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def password_file(self, principal: str) -> Path:
        return self.credentials.path(f"kafka-{principal}")

    def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        write_private(self._conf, "".join(f"{key}={value}\n" for key, value in self.configuration().items()))
        if not (self.data / "meta.properties").exists():
            self._format()

    def configuration(self) -> dict[str, str]:
        """server.properties; it holds the admin word, hence 0600."""
        return {
            **NODE,
            "listeners": f"CLIENT://{self.bootstrap},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": f"CLIENT://{self.bootstrap}",
            "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller_port}",
            "log.dirs": str(self.data),
            **credentials(self.credentials.read("kafka-admin")),
            **SIZES,
            **self.properties,
        }

    def launch(self) -> Launch:
        command = [*self._java(), "kafka.Kafka", str(self._conf)]
        return Launch(command, environment={"MALLOC_ARENA_MAX": "2"})

    def ready(self) -> bool:
        """The port opens only when the broker is registered with its controller; a paused broker's port stays open.

        So the broker is asked for its api versions, which it tells everybody.
        """
        return exchange(self.port, API_VERSIONS)[4:8] == API_VERSIONS[8:12]

    def _java(self) -> list[str]:
        cache = jars.aot_cache()
        flags = list(self.jvm_flags)
        if not flags and cache.exists():
            flags = [f"-XX:AOTCache={cache}"]
        return [str(jars.java()), *FLAGS, *flags, "-cp", jars.class_path()]

    def _format(self) -> None:
        """Format the data with all users; what an interrupted format left is removed first."""
        shutil.rmtree(self.data, ignore_errors=True)
        users: list[str] = []
        for name in principals.kafka_principals():
            users += ["--add-scram", scram(name, self.credentials.read(f"kafka-{name}"))]
        arguments = ["kafka.tools.StorageTool", "format", "-t", cluster_id(), "-c", str(self._conf), *users]
        file = self.directory / "format.arguments"
        write_private(file, "".join(f"{quoted(word)}\n" for word in arguments))
        try:
            self._run_format(file)
        finally:
            file.unlink(missing_ok=True)

    def _run_format(self, file: Path) -> None:
        environment = clean_environment() | {"MALLOC_ARENA_MAX": "2"}
        command = [*self._java(), f"@{file}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise EngineFailed(f"Kafka's format failed: {(done.stderr or done.stdout).strip()[-1000:]}")

    @property
    def _conf(self) -> Path:
        return self.directory / "server.properties"
