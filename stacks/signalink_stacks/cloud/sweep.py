"""Owns finding what a stack left in an account, by its tag, and deleting that: never a data store.

The kinds and their calls are `kinds`'. A database, cache, broker or cluster that is still there is named and left:
it holds data, and `signalink down` or `pulumi destroy` is what removes it. What outlives a stack on purpose is `kept`
and no leftover: its snapshots, and a key that AWS deletes on a day of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from signalink_stacks.cloud.clients import Clients, reason, translated
from signalink_stacks.cloud.kinds import KINDS, Kind, as_mapping, pages
from signalink_stacks.lib import tags

BACKUPS: Final = ("rds:snapshot:", "rds:auto-backup:", "elasticache:snapshot:")
"""What stands in the ARN of a backup, behind the account."""
DOOMED: Final = frozenset({"PendingDeletion", "PendingReplicaDeletion"})


@dataclass(frozen=True, slots=True)
class Leftover:
    """`kind` is None for what is found and never deleted here. `kept`: why it may stay, where it may."""

    name: str
    identity: str
    kind: Kind | None = None
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one leftover; an empty `problem`: it is deleted."""

    leftover: Leftover
    problem: str = ""


def find(clients: Clients, stack: str) -> list[Leftover]:
    """Everything that carries the stack's tag, in the order of deleting; then what is not deleted here."""
    with translated():
        found = [
            Leftover(kind.name, identity, kind)
            for kind in KINDS
            for identity, tagged in kind.listed(clients, stack)
            if tagged.get(tags.STACK) == stack
        ]
        return [*found, *others(clients, stack)]


def others(clients: Clients, stack: str) -> Iterator[Leftover]:
    """What the tagging API knows beside the kinds that are asked themselves."""
    client = clients("resourcegroupstaggingapi")
    for page in pages(client, "get_resources", TagFilters=[{"Key": tags.STACK, "Values": [stack]}]):
        for each in page["ResourceTagMappingList"]:
            arn = each["ResourceARN"]
            if kind_of(arn) is None and as_mapping(each["Tags"]).get(tags.STACK) == stack:
                yield Leftover(service_of(arn), arn, kept=kept(clients, arn))


def kept(clients: Clients, arn: str) -> str:
    """Why this may outlive its stack; empty for what may not."""
    if behind(arn).startswith(BACKUPS):
        return "a backup: it holds data, and is yours to delete"
    if not behind(arn).startswith("kms:key/"):
        return ""
    kms = clients("kms")
    try:
        key = kms.describe_key(KeyId=arn)["KeyMetadata"]
    except kms.exceptions.NotFoundException:
        return "AWS has deleted it, and will forget its tags"
    if key["KeyState"] not in DOOMED:
        return ""
    day = key.get("DeletionDate")
    return f"AWS deletes it on {day:%Y-%m-%d}" if day else "AWS deletes it"


def kind_of(arn: str) -> Kind | None:
    """The kind whose ARNs look like this one."""
    return next((kind for kind in KINDS if behind(arn).startswith(kind.arn)), None)


def behind(arn: str) -> str:
    """The service of an ARN and what stands behind the account, as `ec2:volume/vol-1`."""
    _, _, service, _, _, *rest = arn.split(":", 5)
    return f"{service}:{''.join(rest)}"


def service_of(arn: str) -> str:
    """`rds`, `eks`, ...: the third part of an ARN."""
    return arn.split(":")[2]


def delete(clients: Clients, leftovers: Sequence[Leftover]) -> list[Outcome]:
    """One after another; what AWS refuses is an outcome, so that the others go all the same. What is kept is none."""
    return [_delete(clients, each) for each in leftovers if not each.kept]


def _delete(clients: Clients, leftover: Leftover) -> Outcome:
    from botocore import exceptions, parsers

    if leftover.kind is None:
        return Outcome(leftover, "is not deleted by a sweep; `pulumi destroy` or its own console does it")
    try:
        leftover.kind.delete(clients, leftover.identity)
    except exceptions.ClientError as error:
        gone = "NotFound" in str(error.response.get("Error", {}).get("Code", ""))
        return Outcome(leftover, "" if gone else reason(error))
    except (exceptions.BotoCoreError, parsers.ResponseParserError) as error:
        return Outcome(leftover, str(error).splitlines()[0])
    return Outcome(leftover)


def expired(clients: Clients, today: date) -> list[str]:
    """Stacks whose day of expiry has passed and that still have something, by name."""
    found: set[str] = set()
    with translated():
        client = clients("resourcegroupstaggingapi")
        for page in pages(client, "get_resources", TagFilters=[{"Key": tags.EXPIRES}]):
            for each in page["ResourceTagMappingList"]:
                tagged = as_mapping(each["Tags"])
                if tags.STACK in tagged and is_past(tagged[tags.EXPIRES], today):
                    found.add(tagged[tags.STACK])
    return sorted(found)


def is_past(written: str, today: date) -> bool:
    """A day that cannot be read is no reason to delete anything."""
    try:
        return date.fromisoformat(written) < today
    except ValueError:
        return False
