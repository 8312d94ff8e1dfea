"""What the tests of Channels look at: statuses, finalizers, and all that could have been written."""

from typing import Any

from operatorworld import Api, World

from signalink_operator.plans.intent import RULES
from signalink_operator.testing import AdminApi, MemoryTopics

DELETE = {"deletionPolicy": "Delete"}
FINALIZER = RULES["Channel"].finalizer
ANA = {"user": "ana", "role": "Owner"}
MINE = "default/team-a/general"


def document(**given: Any) -> dict[str, Any]:
    """A channel as the plan would write it."""
    whole = {
        "managed_by": MINE,
        "adopt": False,
        "display_name": None,
        "description": None,
        "visibility": "private",
        "members": [],
        "members_policy": "ensure",
        "quota": {
            "messages_per_second": None,
            "slow_mode_seconds": None,
            "retention_days": None,
            "max_members": None,
        },
        "event_topic": None,
    }
    return whole | given


async def statused(api: Api, name: str) -> dict[str, Any]:
    body = await api.of("Channel").read(name)
    assert body is not None
    return dict(body["status"])


async def finalizers(api: Api, name: str) -> list[str]:
    body = await api.of("Channel").read(name)
    return list((body or {})["metadata"].get("finalizers", []))


async def snapshot(world: World, admin: AdminApi, memory: MemoryTopics) -> object:
    bodies = [await world.api.of(kind).read("general") for kind in ("Topic", "Channel")]
    return (bodies, admin.platform.writes, len(memory.writes()))
