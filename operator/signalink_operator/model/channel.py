"""What a Channel resource may say, and what the api answered about the channel. Pure data; deciding is left to `plans`.

Every rule of the resource definition is checked here too, for a server that skipped one. A slug is what the api takes,
at most 80 characters, so that one that cannot work is refused when it is written.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, StrictStr, model_validator

from signalink_operator.model.document import Document
from signalink_operator.model.topic import TopicShape

SLUG_LIMIT = 80
_SLUG = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")

Role = Literal["Member", "Owner", "Moderator", "Reader"]
Text = Annotated[StrictStr, Field(max_length=2_000)]


def check_slug(slug: str) -> str:
    """Answer `slug` when the api would take it; raise ValueError naming the rule otherwise."""
    if not _SLUG.fullmatch(slug) or len(slug) > SLUG_LIMIT:
        raise ValueError(
            f"slug {slug!r}: 1 to {SLUG_LIMIT} characters of a-z 0-9 . _ -, a letter or digit first and last"
        )
    return slug


class Member(Document):
    """`user` is a username or the user's UUID."""

    user: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    role: Role = "Member"


class Quota(Document):
    """Every field may be absent: then the api's own bound holds."""

    messages_per_second: Annotated[StrictInt, Field(ge=1, le=1_000)] | None = None
    slow_mode_seconds: Annotated[StrictInt, Field(ge=0, le=86_400)] | None = None
    retention_days: Annotated[StrictInt, Field(ge=1, le=36_500)] | None = None
    max_members: Annotated[StrictInt, Field(ge=1, le=1_000_000)] | None = None


class ChannelSpec(Document):
    """A Channel resource's spec. `topicRef` names a Topic of the same namespace, `topic` has one made.

    With `membersPolicy: Ensure` nobody is removed; with Exact whoever is not listed is.
    """

    slug: str | None = None
    cluster_ref: str = "default"
    display_name: Annotated[StrictStr, Field(min_length=1, max_length=200)] | None = None
    description: Text | None = None
    visibility: Literal["Private", "Public"] = "Private"
    members: Annotated[tuple[Member, ...], Field(max_length=500)] = ()
    members_policy: Literal["Ensure", "Exact"] = "Ensure"
    quota: Quota = Quota()
    topic_ref: Annotated[StrictStr, Field(min_length=1, max_length=253)] | None = None
    topic: TopicShape | None = None
    deletion_policy: Literal["Retain", "Archive", "Delete"] = "Retain"

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.topic is not None and self.topic_ref is not None:
            raise ValueError("topic and topicRef exclude each other: have one made, or name one that is there")
        twice = sorted(user for user, count in Counter(one.user.lower() for one in self.members).items() if count > 1)
        if twice:
            raise ValueError(f"members {twice} are listed twice")
        if self.members_policy == "Exact" and not any(one.role == "Owner" for one in self.members):
            raise ValueError("membersPolicy Exact needs a member with role Owner: nobody could look after the channel")
        most = self.quota.max_members
        if most is not None and len(self.members) > most:
            raise ValueError(f"there are {len(self.members)} members and quota.maxMembers is {most}")
        return self


@dataclass(frozen=True)
class ObservedChannel:
    """A channel as the api answered it. `unresolved`: members that are no users; `changed`: something was written."""

    channel_id: str
    slug: str
    member_count: int
    event_topic: str | None = None
    unresolved: tuple[str, ...] = ()
    kept_owner: bool = False
    changed: bool = False


@dataclass(frozen=True)
class Removal:
    """`mode` archive: nobody writes any more; delete: it is gone for every reader."""

    managed_by: str
    mode: Literal["archive", "delete"]
