"""Kafka ACLs: bring the broker to the table of `signalink_core.principals`, once and repeatably.

aiokafka's admin client has no ACL calls, but its protocol has the messages; they are sent through its connection.
Only ACLs of our principals under this deployment's prefix are looked at, so two deployments can share a broker.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest_v1, DescribeAclsRequest
from aiokafka.protocol.api import Request

from signalink_core import principals
from signalink_core.kafka.errors import KafkaUnavailable
from signalink_core.settings import KafkaSettings

DEADLINE_SECONDS: Final = 30.0
ANY: Final = 1
ALLOW: Final = 3
HOST: Final = "*"
RESOURCES: Final = {"topic": 2, "group": 3, "cluster": 4}
PATTERNS: Final = {"literal": 3, "prefixed": 4}
OPERATIONS: Final[dict[str, int]] = {
    "all": 2,
    "read": 3,
    "write": 4,
    "create": 5,
    "delete": 6,
    "alter": 7,
    "describe": 8,
    "describe_configs": 10,
    "alter_configs": 11,
}


class Entry(NamedTuple):
    """One ACL in the protocol's numbers and order."""

    resource: int
    name: str
    pattern: int
    principal: str
    host: str
    operation: int
    permission: int


@dataclass(frozen=True)
class Applied:
    """How many ACLs were made, removed and found right."""

    created: int
    removed: int
    unchanged: int


class _CreateAcls(Request[CreateAclsRequest_v1]):
    API_KEY = 30

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = [tuple(entry) for entry in entries]

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(self._entries)


class _DeleteAcls(Request[DeleteAclsRequest_v1]):
    API_KEY = 31

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = [tuple(entry) for entry in entries]

    def build(self, request_struct_class: type[DeleteAclsRequest_v1]) -> DeleteAclsRequest_v1:
        return request_struct_class(self._entries)


async def apply(
    kafka: KafkaSettings, table: Iterable[principals.Principal] = principals.PRINCIPALS.values()
) -> Applied:
    """Make what is missing, remove what the table does not name; a second run changes nothing.

    `kafka` must be a principal that may alter the cluster. Raises KafkaUnavailable with Kafka's reason.
    """
    table = tuple(table)
    wanted = {entry for principal in table for entry in entries(principal, kafka.topic_prefix)}
    try:
        async with asyncio.timeout(DEADLINE_SECONDS), _admin(kafka) as admin:
            found = {entry for entry in await _describe(admin) if _is_ours(entry, table, kafka.topic_prefix)}
            await _send(admin, _CreateAcls, wanted - found)
            await _send(admin, _DeleteAcls, found - wanted)
            await _settled(admin, wanted)
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(
            f"Kafka's access rights could not be applied: {error!r}.",
            next_step="check that the broker runs, then repeat.",
        ) from error
    return Applied(len(wanted - found), len(found - wanted), len(wanted & found))


def entries(principal: principals.Principal, prefix: str) -> set[Entry]:
    """The ACLs of one principal with the prefix on topics and groups; a name '*' means every one under the prefix."""
    return {
        Entry(
            RESOURCES[acl.resource],
            *_pattern(acl, prefix),
            f"User:{principal.name}",
            HOST,
            OPERATIONS[operation],
            ALLOW,
        )
        for acl in principal.kafka_acls
        for operation in acl.operations
    }


def _pattern(acl: principals.KafkaAcl, prefix: str) -> tuple[str, int]:
    if acl.resource == "cluster":
        return acl.name, PATTERNS["literal"]
    if acl.name in {"", "*"}:
        return (prefix, PATTERNS["prefixed"]) if prefix else ("*", PATTERNS["literal"])
    return prefix + acl.name, PATTERNS[acl.pattern]


def _is_ours(entry: Entry, table: tuple[principals.Principal, ...], prefix: str) -> bool:
    """With a prefix, cluster ACLs are shared with the other deployments and are left alone."""
    if entry.principal not in {f"User:{principal.name}" for principal in table}:
        return False
    return entry.resource == RESOURCES["cluster"] or entry.name.startswith(prefix)


@contextlib.asynccontextmanager
async def _admin(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(
        **kafka.client_kwargs(), client_id="signalink-access", request_timeout_ms=int(DEADLINE_SECONDS * 1000)
    )
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _describe(admin: AIOKafkaAdminClient) -> set[Entry]:
    request = DescribeAclsRequest(ANY, None, ANY, None, None, ANY, ANY)  # type: ignore[arg-type]  # null means any
    answer: Any = await admin._send_request(request)
    _check(answer.error_code, answer.error_message)
    return {Entry(resource, name, pattern, *acl) for resource, name, pattern, acls in answer.resources for acl in acls}


async def _send(admin: AIOKafkaAdminClient, request: type[_CreateAcls | _DeleteAcls], changed: set[Entry]) -> None:
    if not changed:
        return
    answer: Any = await admin._send_to_controller(request(sorted(changed)))
    for code, message, *_ in answer.creation_responses if request is _CreateAcls else answer.filter_responses:
        _check(code, message)


async def _settled(admin: AIOKafkaAdminClient, wanted: set[Entry]) -> None:
    """The controller answers before every broker has heard; a caller may produce at once after `apply`."""
    while not wanted <= await _describe(admin):  # noqa: ASYNC110 - the broker is asked, nothing here could signal
        await asyncio.sleep(0.02)


def _check(code: int, message: str | None) -> None:
    if code:
        raise for_code(code)(message)
