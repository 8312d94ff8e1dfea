"""Owns the engines of compose.yaml, on their official images, and the jobs between them and the services."""

from collections.abc import Callable, Sequence
from typing import Final

from signalink_core import principals
from signalink_core.manifest import ServiceManifest
from signalink_core.provision import kafka as node
from signalink_core.provision.secretfiles import FOLDER
from signalink_stacks.containers import shapes
from signalink_stacks.containers.secrets import ACL, NODE, USER
from signalink_stacks.containers.shapes import Container, Volumes
from signalink_stacks.lib import environment
from signalink_stacks.lib.environment import Places
from signalink_stacks.lib.images import Catalogue

Add = Callable[[str, Container, Volumes], None]
ADDRESSES: Final = {"postgres": "postgres:5432", "redis": "valkey:6379", "kafka": "kafka:9092"}
DATA: Final = {"postgres": "/var/lib/postgresql", "kafka": node.DATA}
"""Volume -> where its engine keeps it."""
POSTGRES: Final = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_locks_per_transaction": "256",
    "wal_level": "logical",
    "track_commit_timestamp": "on",
    "max_wal_size": "512MB",
    "jit": "off",
    "password_encryption": "scram-sha-256",
}
VALKEY: Final = [
    *("--save", ""),
    *("--appendonly", "no"),
    *("--maxmemory", "256mb"),
    *("--maxmemory-policy", "noeviction"),
    *("--client-output-buffer-limit", "pubsub 32mb 8mb 60"),
]
OWNED: Final = f"uid={USER},gid={USER},mode=0755"


def engines(catalogue: Catalogue, add: Add) -> None:
    postgres(catalogue, add)
    valkey(catalogue, add)
    kafka(catalogue, add)


def postgres(catalogue: Catalogue, add: Add) -> None:
    volume = Volumes()
    add(
        "postgres",
        {
            **shapes.hardened(catalogue.named("postgres")),
            **shapes.after({}),
            "command": ["postgres", *(word for key, value in POSTGRES.items() for word in ("-c", f"{key}={value}"))],
            "environment": {
                "POSTGRES_PASSWORD_FILE": volume.path("postgres-admin"),
                "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256 --auth-local=scram-sha-256",
            },
            "tmpfs": ["/tmp", f"/var/run/postgresql:{OWNED}"],  # noqa: S108 - of the container
            "volumes": [shapes.secrets_of("postgres"), shapes.data("postgres", DATA["postgres"])],
            "shm_size": "128m",
            "healthcheck": _probe("pg_isready", "--quiet", "--host=127.0.0.1", "--username=postgres"),
            "stop_signal": "SIGINT",
            **_kept("1Gi"),
        },
        volume,
    )


def valkey(catalogue: Catalogue, add: Add) -> None:
    volume = Volumes()
    add(
        "valkey",
        {
            **shapes.hardened(catalogue.named("valkey")),
            **shapes.after({}),
            "command": ["valkey-server", "--aclfile", volume.path(ACL), *VALKEY],
            "tmpfs": ["/tmp", f"/data:{OWNED}"],  # noqa: S108 - of the container
            "volumes": [shapes.secrets_of("valkey")],
            "healthcheck": {**_probe(), "test": ["CMD-SHELL", "valkey-cli ping | grep -q NOAUTH"]},
            **_kept("384Mi"),
        },
        volume,
    )


def kafka(catalogue: Catalogue, add: Add) -> None:
    """Two containers of one volume: the format, which makes the users, and the node."""
    volume = Volumes()
    volume.path(NODE)
    image, records = catalogue.named("kafka"), shapes.data("kafka", DATA["kafka"])
    own = {"tmpfs": ["/tmp:exec"], "environment": {"LOG_DIR": "/tmp/logs"}}  # noqa: S108 - codecs are loaded from /tmp
    add(
        "kafka-format",
        {
            **shapes.job("kafka", image, [], {}, {}),
            **own,
            "entrypoint": ["java", "-cp", "/opt/kafka/libs/*", f"@{FOLDER}/{node.ARGUMENTS}"],
            "volumes": [shapes.secrets_of("kafka-format"), records],
        },
        volume,
    )
    broker = Volumes(["kafka-node"])
    add(
        "kafka",
        {
            **shapes.hardened(image),
            **shapes.after({"kafka-format": shapes.DONE}),
            **own,
            "environment": own["environment"] | {"KAFKA_HEAP_OPTS": "-Xms128m -Xmx512m"},  # type: ignore[operator]
            "entrypoint": ["/opt/kafka/bin/kafka-server-start.sh", f"{FOLDER}/{node.PROPERTIES}"],
            "volumes": [shapes.secrets_of("kafka"), records],
            "healthcheck": _probe("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9092"),
            **_kept("1Gi", 512),
        },
        broker,
    )


def jobs(manifests: Sequence[ServiceManifest], catalogue: Catalogue, add: Add) -> dict[str, dict[str, str]]:
    """Accounts, migrations one after another, rights, topics. The answer: need -> what must be done or healthy."""
    migrated = _roles(catalogue, add)
    for manifest in manifests:
        if manifest.database is not None:
            migrated = _migration(manifest, catalogue, migrated, add)
    _rights(catalogue, add)
    volume = Volumes()
    values = environment.bindings("operator", ["kafka"], Places(ADDRESSES, {}, volume.path))
    command = ["python", "-m", "signalink_operator", "apply"]
    image = catalogue.named("operator")
    container = shapes.job("topics", image, command, environment.prefixed(values), {"kafka-access": shapes.DONE})
    add("topics", container, volume)
    return {
        "postgres": {migrated: shapes.DONE},
        "redis": {"valkey": shapes.HEALTHY},
        "kafka": {"topics": shapes.DONE},
    }


def _roles(catalogue: Catalogue, add: Add) -> str:
    volume = Volumes()
    values = {
        "POSTGRES_DSN": f"postgresql://postgres@{ADDRESSES['postgres']}/postgres",
        "POSTGRES_PASSWORD_FILE": volume.path("postgres-admin"),
    }
    for name in principals.postgres_roles():
        volume.path(f"postgres-{name}")
    command = ["python", "-m", "signalink_core.provision", "postgres"]
    after = {"postgres": shapes.HEALTHY}
    name = "postgres-roles"
    add(name, shapes.job(name, catalogue.named("api"), command, environment.prefixed(values), after), volume)
    return name


def _migration(manifest: ServiceManifest, catalogue: Catalogue, earlier: str, add: Add) -> str:
    """As the schema's owner, in the service's own image."""
    volume, database = Volumes(), manifest.database
    assert database is not None  # noqa: S101 - the caller looked
    values = environment.bindings("owner", ["postgres"], Places(ADDRESSES, {}, volume.path))
    arguments = ["migrate", "--schema", database.schema_, "--migrations", database.migrations]
    command = ["python", "-m", "signalink_core.database", *arguments]
    name = f"migrate-{manifest.name}"
    image = catalogue.named(manifest.name)
    add(name, shapes.job(name, image, command, environment.prefixed(values), {earlier: shapes.DONE}), volume)
    return name


def _rights(catalogue: Catalogue, add: Add) -> None:
    volume = Volumes()
    values = {
        "KAFKA_BOOTSTRAP": ADDRESSES["kafka"],
        "KAFKA_USER": principals.ADMIN,
        "KAFKA_PASSWORD_FILE": volume.path(f"kafka-{principals.ADMIN}"),
        "KAFKA_SECURITY": "sasl_plaintext",
    }
    command = ["python", "-m", "signalink_core.provision", "kafka-access"]
    after = {"kafka": shapes.HEALTHY}
    name = "kafka-access"
    add(name, shapes.job(name, catalogue.named("relay"), command, environment.prefixed(values), after), volume)


def _probe(*command: str) -> dict[str, object]:
    return {"test": ["CMD", *command], "interval": "3s", "timeout": "3s", "retries": 20, "start_period": "60s"}


def _kept(memory: str, pids: int = 256) -> dict[str, object]:
    """An engine that is always there."""
    return {"stop_grace_period": shapes.STOP, "restart": "unless-stopped", **shapes.limits(memory, pids)}
