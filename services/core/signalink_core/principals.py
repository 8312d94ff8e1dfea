"""Owns the one table of least privilege: for each principal its Postgres role, its Redis ACL line and its Kafka ACLs.

Leaves enforcing it to others: Postgres grants live in the migrations, the Redis line is written by the target (file or
chart), the Kafka ACLs are applied by `signalink_core.kafka.access`. Names of topics and groups here carry no prefix.
"""

from dataclasses import dataclass
from typing import Final, Literal

Resource = Literal["topic", "group", "cluster"]
Pattern = Literal["literal", "prefixed"]
Operation = Literal[
    "all", "read", "write", "create", "delete", "alter", "describe", "alter_configs", "describe_configs"
]

CONNECTION: Final = (
    "+ping +hello +auth +select +reset +quit +client|setname +client|setinfo +client|id +client|no-evict"
)
LIMITS: Final = (
    "~signalink:limit:* +get +set +incrby +incr +exists +rename +expire +pexpire +ttl +pttl +del "
    "+eval +evalsha +script|load"
)
PRESENCE_READ: Final = "+hget +hmget +hgetall +exists"


@dataclass(frozen=True, slots=True)
class KafkaAcl:
    """Allow `operations` on resources whose name equals (literal) or begins with (prefixed) `name`; '*' is all."""

    resource: Resource
    name: str
    operations: tuple[Operation, ...]
    pattern: Pattern = "literal"


@dataclass(frozen=True, slots=True)
class Principal:
    """One user of the backing services. `None` or an empty tuple: no account there at all.

    `redis_acl` begins with nothing allowed. Parentheses are selectors, each a right of its own: without them a gateway,
    which may publish canaries and subscribe to events, could publish events.
    """

    name: str
    postgres_role: str | None = None
    redis_acl: str | None = None
    kafka_acls: tuple[KafkaAcl, ...] = ()

    @property
    def uses_kafka(self) -> bool:
        return bool(self.kafka_acls)


def _topics(operations: tuple[Operation, ...], *names: str) -> tuple[KafkaAcl, ...]:
    return tuple(KafkaAcl("topic", name, operations) for name in names)


def _group(name: str) -> KafkaAcl:
    return KafkaAcl("group", name, ("read", "describe"), "prefixed")


_WRITE: Final[tuple[Operation, ...]] = ("write", "describe")
_READ: Final[tuple[Operation, ...]] = ("read", "describe")
_DEAD_LETTERS: Final = KafkaAcl("topic", "dlq.", _WRITE, "prefixed")
TOPICS: Final = ("messages", "notifications", "analytics", "presence")
"""The platform's own, without prefix and without their `dlq.` topics."""

PRINCIPALS: Final[dict[str, Principal]] = {
    principal.name: principal
    for principal in (
        Principal(
            "api",
            postgres_role="signalink_api",
            redis_acl=f"{CONNECTION} {LIMITS} &signalink:events:* &signalink:log &signalink:revocations +publish "
            "(%W~signalink:ticket:* +set)",
        ),
        Principal(
            "relay",
            postgres_role="signalink_relay",
            redis_acl=f"{CONNECTION} &signalink:heads +publish (&signalink:log +subscribe +unsubscribe)",
            # Every topic: those that channels name are known to nobody before. It reads none.
            kafka_acls=(KafkaAcl("topic", "", _WRITE, "prefixed"),),
        ),
        Principal(
            "gateway",
            postgres_role="signalink_gateway",
            redis_acl=f"{CONNECTION} {LIMITS} +subscribe +unsubscribe &signalink:events:* &signalink:heads "
            "&signalink:revocations &signalink:presence &signalink:typing:* &signalink:canary:* "
            "(~signalink:ticket:* +getdel) (&signalink:presence &signalink:typing:* &signalink:canary:* +publish) "
            f"(~signalink:presence:* {PRESENCE_READ} +hset +hdel +set +pexpire +del)",
            kafka_acls=_topics(_WRITE, "presence"),
        ),
        Principal(
            "analytics",
            postgres_role="signalink_analytics",
            redis_acl=f"{CONNECTION} {LIMITS}",
            kafka_acls=(
                *_topics(_READ, "messages", "analytics", "presence"),
                _group("signalink-analytics"),
                _DEAD_LETTERS,
            ),
        ),
        Principal(
            "notifications",
            postgres_role="signalink_notifications",
            redis_acl=f"{CONNECTION} {LIMITS} (%R~signalink:presence:* {PRESENCE_READ})",
            kafka_acls=(
                *_topics(_READ, "messages", "presence"),
                *_topics(("read", "write", "describe"), "notifications"),
                _group("signalink-notifications"),
                _DEAD_LETTERS,
            ),
        ),
        Principal(
            "operator",
            kafka_acls=(
                KafkaAcl(
                    "topic",
                    "",
                    ("create", "delete", "alter", "describe", "alter_configs", "describe_configs"),
                    "prefixed",
                ),
                KafkaAcl("cluster", "kafka-cluster", ("describe", "describe_configs")),
            ),
        ),
        Principal(
            "prober",
            postgres_role="signalink_prober",
            redis_acl=f"{CONNECTION} +info",
            kafka_acls=(
                *_topics(_READ, *TOPICS),
                KafkaAcl("topic", "dlq.", _READ, "prefixed"),
                _group("signalink-prober"),
                KafkaAcl("group", "*", ("describe",)),
            ),
        ),
        Principal("owner", postgres_role="signalink_owner"),
    )
}

ADMIN: Final = "admin"
"""The super user of Redis and Kafka (Postgres: `postgres`): known to the target alone, given to no service."""


def redis_users(hashes: dict[str, str]) -> list[str]:
    """Lines of a Redis ACL file. `hashes`: principal -> hex SHA-256 of its password; `default` is off."""
    lines = ["user default off resetchannels -@all", f"user {ADMIN} on #{hashes[ADMIN]} ~* &* +@all"]
    lines += [
        f"user {principal.name} on #{hashes[principal.name]} resetkeys resetchannels -@all {principal.redis_acl}"
        for principal in PRINCIPALS.values()
        if principal.redis_acl is not None
    ]
    return lines


def redis_principals() -> list[str]:
    return [ADMIN, *(p.name for p in PRINCIPALS.values() if p.redis_acl is not None)]


def kafka_principals() -> list[str]:
    return [ADMIN, *(p.name for p in PRINCIPALS.values() if p.uses_kafka)]


def postgres_roles() -> dict[str, str]:
    """Principal -> role that logs in."""
    return {p.name: p.postgres_role for p in PRINCIPALS.values() if p.postgres_role is not None}
