"""Owns what a Kafka node needs to be formatted with its users: its properties and an argument file for `java`.

SCRAM users are made by the format, so no window exists in which nobody can sign in, and no command line ever shows a
word: `java -cp JARS @format.arguments` reads them from the file.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signalink_core import principals
from signalink_core.errors import ConfigurationError
from signalink_core.provision.files import write_private
from signalink_core.provision.secretfiles import SecretFiles

SCRAM_ITERATIONS: Final = 4096
MODULE: Final = 'org.apache.kafka.common.security.{kind} required username="admin" password="{word}"'
CLIENT_PORT: Final = 9092
CONTROLLER_PORT: Final = 9093
DATA: Final = "/var/lib/kafka/data"
PROPERTIES: Final = "server.properties"
ARGUMENTS: Final = "format.arguments"
NODE: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "inter.broker.listener.name": "CLIENT",
    "controller.listener.names": "CONTROLLER",
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
    "sasl.mechanism.controller.protocol": "PLAIN",
    "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
    "super.users": "User:admin",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "false",
}
"""What every node of ours says, whoever runs it. Addresses, folders and sizes are the target's."""
SMALL: Final = {
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "2",
    "auto.create.topics.enable": "false",  # else a mistyped name makes a topic
}
"""What one node alone needs to hold Kafka's own topics."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is reached (`host`, a name that clients resolve), and where it keeps its records."""

    host: str
    port: int = CLIENT_PORT
    data: str = DATA


def credentials(word: str) -> dict[str, str]:
    """The lines of server.properties that hold the admin's word: as a broker among others, and as a controller."""
    plain = MODULE.format(kind="plain.PlainLoginModule", word=word)
    return {
        "listener.name.client.scram-sha-512.sasl.jaas.config": MODULE.format(kind="scram.ScramLoginModule", word=word)
        + ";",
        "listener.name.controller.plain.sasl.jaas.config": f'{plain} user_admin="{word}";',
    }


def addresses(place: Place) -> dict[str, str]:
    """It accepts on every address; its controller only inside, since a single node has no peers."""
    return {
        "listeners": f"CLIENT://0.0.0.0:{place.port},CONTROLLER://127.0.0.1:{CONTROLLER_PORT}",
        "advertised.listeners": f"CLIENT://{place.host}:{place.port}",
        "controller.quorum.voters": f"1@127.0.0.1:{CONTROLLER_PORT}",
        "log.dirs": place.data,
    }


def scram(name: str, word: str) -> str:
    """The format tool's argument for one user: RFC 5802 salted password of SCRAM-SHA-512."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha512", word.encode(), salt, SCRAM_ITERATIONS)
    fields = f'salt="{_base64(salt)}",saltedpassword="{_base64(salted)}"'
    return f"SCRAM-SHA-512=[name={name},iterations={SCRAM_ITERATIONS},{fields}]"


def prepare(
    secret_files: SecretFiles, out: Path, cluster_id: str, base: str | Place, *, seen_at: Path | None = None
) -> None:
    """Write `server.properties` and `format.arguments` into `out`, which the node sees at `seen_at` (else there too).

    `base`: the text of given properties, or a place.
    """
    word = secret_files.read(f"kafka-{principals.ADMIN}")
    given = base if isinstance(base, str) else _lines(NODE | SMALL | addresses(base))
    write_private(out / PROPERTIES, given.rstrip("\n") + "\n" + _lines(credentials(word)))
    words = ["format", "--ignore-formatted", "-t", cluster_id, "-c", str((seen_at or out) / PROPERTIES)]
    for name in principals.kafka_principals():
        words += ["--add-scram", scram(name, secret_files.read(f"kafka-{name}"))]
    write_private(out / ARGUMENTS, "".join(f"{quoted(each)}\n" for each in ["kafka.tools.StorageTool", *words]))


def read_properties(path: Path) -> str:
    """The text of a given server.properties. ConfigurationError when it cannot be read or already holds a word."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}.", next_step="name Kafka's properties file."
        ) from error
    if "jaas.config" in text:
        raise ConfigurationError(
            f"{path} has a jaas.config line: words belong into secret files.",
            next_step="take the line out; it is added from the secrets.",
        )
    return text


def quoted(word: str) -> str:
    """One word of a java argument file."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _lines(values: dict[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in values.items())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
