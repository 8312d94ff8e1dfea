"""Bodies of the admin routes: a channel as its service wants it, whole, and as it is."""

from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from signalink_api.channels.schemas import Description, MemberRole, Name, Slug
from signalink_core.principals import TOPICS
from signalink_core.web.schemas import Answer, Request
from signalink_core.web.text import Line

__all__ = ["ManagedBy", "ManagedChannel", "ManagedChannelRequest", "Mode", "Quota", "Slug", "WantedMember"]

MOST_MEMBERS: Final = 500
Visibility = Literal["private", "public"]
Mode = Literal["archive", "delete"]
ManagedBy: Any = Line(600)
User: Any = Line(64)


def _not_ours(topic: str) -> str:
    if topic in {".", ".."} or topic.startswith(("__", "dlq.")) or topic in TOPICS:
        raise ValueError("Must not be one of the platform's own topics or of Kafka's")
    return topic


Topic = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,249}$"), AfterValidator(_not_ours)]


class WantedMember(Request):
    """`user`: a username, or a user's id."""

    user: User
    role: MemberRole


class Quota(Request):
    """null: no bound of the channel's own; those of the platform hold."""

    messages_per_second: Annotated[int | None, Field(ge=1, le=1_000)] = None
    slow_mode_seconds: Annotated[int | None, Field(ge=0, le=86_400)] = None
    retention_days: Annotated[int | None, Field(ge=1, le=36_500)] = None
    max_members: Annotated[int | None, Field(ge=1, le=1_000_000)] = None


class ManagedChannelRequest(Request):
    """The whole document; what is absent gets its default."""

    managed_by: Annotated[ManagedBy, Field(description="Who keeps the channel so: a name of the service's choice.")]
    adopt: bool = Field(default=False, description="Take the channel from whoever holds it, people too.")
    display_name: Annotated[Name | None, Field(default=None, description="null: the slug.")]
    description: Annotated[Description | None, Field(default=None)]
    visibility: Visibility = "private"
    members: Annotated[list[WantedMember], Field(max_length=MOST_MEMBERS, default_factory=list)]
    members_policy: Annotated[
        Literal["ensure", "exact"], Field(description="`exact` also removes members who are not listed.")
    ] = "ensure"
    quota: Quota = Quota()
    event_topic: Annotated[
        Topic | None, Field(description="Kafka topic, without prefix, that gets the channel's events too.")
    ] = None

    @model_validator(mode="after")
    def _names_each_user_once(self) -> Self:
        if len({member.user.lower() for member in self.members}) < len(self.members):
            raise ValueError("Each user may be listed once")
        return self


class ManagedChannel(Answer):
    """A channel as it is. `unresolved`: users of the request who are unknown or disabled; the others were applied.

    `kept_owner`: an owner stayed, since the channel would have none. `changed`: this request changed something.
    """

    id: UUID
    slug: str
    managed_by: str | None
    display_name: str
    description: str
    visibility: Visibility
    archived: bool
    quota: Quota
    event_topic: str | None
    member_count: int
    unresolved: list[str] = Field(default_factory=list)
    kept_owner: bool = False
    changed: bool = False
