"""`python -m signalink_core.provision COMMAND`: prepare an engine. Owns arguments and exit codes: 0, 1, 64.

Reads the administrator's binding from SIGNALINK_* like every process, and everybody's secrets from one folder.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_core.provision import exporters, kafka, redis, secretfiles, servers
from signalink_core.provision.secretfiles import SecretFiles
from signalink_core.settings import KafkaSettings, PostgresSettings

PATIENCE_SECONDS: Final = 120.0
EXIT_FAILED, EXIT_USAGE = 1, 64
CLUSTER_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the answer is the exit code, one line says what was done or why not."""
    chosen = _parser().parse_args(arguments)
    try:
        done = COMMANDS[chosen.command](chosen)
    except SignalinkError as error:
        sys.stderr.write(f"{chosen.command}: {error}\n")
        return EXIT_USAGE if isinstance(error, ConfigurationError) else EXIT_FAILED
    except OSError as error:
        sys.stderr.write(f"{chosen.command}: {error}. Next: see that the folder can be written.\n")
        return EXIT_FAILED
    sys.stdout.write(f"{done}\n")
    return 0


def _postgres(chosen: argparse.Namespace) -> str:
    settings, secrets = PostgresSettings.from_env(), SecretFiles(chosen.secrets)
    asyncio.run(servers.postgres(settings, secrets, chosen.timeout, chosen.admin_secret))
    return "roles and database are there"


def _redis_acl(chosen: argparse.Namespace) -> str:
    redis.write_acl(SecretFiles(chosen.secrets), chosen.out)
    if chosen.exporter:
        exporters.write_redis(SecretFiles(chosen.secrets), chosen.exporter)
    return f"{chosen.out} is written"


def _kafka_format(chosen: argparse.Namespace) -> str:
    if not CLUSTER_ID.fullmatch(chosen.cluster_id):
        raise ConfigurationError(
            f"{chosen.cluster_id!r} is no cluster id.",
            next_step="give 22 characters of base64url, not beginning with -.",
        )
    given = chosen.properties and kafka.read_properties(chosen.properties)
    base = given or kafka.Place(chosen.host, chosen.port, chosen.data)
    kafka.prepare(SecretFiles(chosen.secrets), chosen.out, chosen.cluster_id, base)
    if chosen.exporter:
        exporters.write_kafka(SecretFiles(chosen.secrets), chosen.exporter)
    return f"{chosen.out / kafka.ARGUMENTS} and {chosen.out / kafka.PROPERTIES} are written"


def _kafka_access(chosen: argparse.Namespace) -> str:
    asyncio.run(servers.kafka_access(KafkaSettings.from_env(), chosen.timeout))
    return "access rights are applied"


COMMANDS: Final[dict[str, Callable[[argparse.Namespace], str]]] = {
    "postgres": _postgres,
    "redis-acl": _redis_acl,
    "kafka-format": _kafka_format,
    "kafka-access": _kafka_access,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m signalink_core.provision")
    commands = parser.add_subparsers(dest="command", required=True)
    made = {
        "postgres": commands.add_parser("postgres", help="roles and database, as the administrator"),
        "redis-acl": commands.add_parser("redis-acl", help="write the server's ACL file"),
        "kafka-format": commands.add_parser("kafka-format", help="write properties, and arguments for the format tool"),
        "kafka-access": commands.add_parser("kafka-access", help="access rights, as the super user"),
    }
    for command in made.values():
        command.add_argument("--secrets", type=Path, default=secretfiles.FOLDER, help="folder of secret files")
        command.add_argument("--timeout", type=float, default=PATIENCE_SECONDS, help="seconds to wait for the server")
    said = "with SIGNALINK_POSTGRES_AUTH=iam: the administrator's secret in AWS Secrets Manager"
    made["postgres"].add_argument("--admin-secret", default="", metavar="ARN", help=said)
    made["redis-acl"].add_argument("--out", type=Path, required=True, help="the file")
    formatting = made["kafka-format"]
    for command in (made["redis-acl"], formatting):
        command.add_argument("--exporter", type=Path, help="also write what the exporter signs in by, to this file")
    formatting.add_argument("--out", type=Path, required=True, help="the folder")
    formatting.add_argument("--cluster-id", required=True)
    formatting.add_argument("--properties", type=Path, help="Kafka's properties without words; else they are made")
    formatting.add_argument("--host", default="kafka", help="the name that clients resolve")
    formatting.add_argument("--port", type=int, default=kafka.CLIENT_PORT)
    formatting.add_argument("--data", default=kafka.DATA, help="where records are kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
