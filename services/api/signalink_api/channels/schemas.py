"""Bodies and queries of the channel routes: what a slug, a name and a role may be. Rights are decided elsewhere."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from signalink_core.web.schemas import Answer, Moment, PageQuery, Request
from signalink_core.web.text import Line, Text

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._+-]{0,98}[a-z0-9+])?$")]
Kind = Literal["public", "private"]
AnyKind = Literal["public", "private", "direct"]
History = Literal["all", "joined"]
MemberRole = Literal["owner", "moderator", "member", "reader"]
Name: Any = Line(200)
Search: Any = Line(100)
Description: Any = Text(2_000, least=0)


class ChannelRequest(Request):
    slug: Slug
    name: Name
    kind: Kind = "public"
    description: Description = ""
    history: History | None = Field(
        default=None, description="What a later member may read; `all` where public, `joined` where private."
    )


class ChannelPatch(Request):
    """What is absent stays. `max_members: null` lifts the bound."""

    name: Annotated[Name, Field(default=None)]
    description: Annotated[Description, Field(default=None)]
    history: Annotated[History, Field(default=None)]
    slow_mode_seconds: Annotated[int, Field(default=None, ge=0, le=86_400)]
    max_members: Annotated[int | None, Field(default=None, ge=1, le=1_000_000)]

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("Name at least one field to change")
        return self


class BrowseQuery(PageQuery):
    q: Annotated[Search, Field(default=None, description="Part of the slug or name, without regard to case.")]


class MemberRequest(Request):
    user_id: UUID
    role: MemberRole = "member"


class RolePatch(Request):
    role: MemberRole


class DirectRequest(Request):
    user_id: UUID


class ReadRequest(Request):
    seq: Annotated[int, Field(ge=0, le=2**63 - 1, description="The last message you have seen.")]


class MuteRequest(Request):
    until: Annotated[AwareDatetime | None, Field(description="null: not muted any more.")]


class ReadState(Answer):
    """`last_read_seq` never goes back, nor beyond the channel's `last_seq`."""

    channel_id: UUID
    last_read_seq: int
    last_seq: int


class Unread(ReadState):
    """`unread`: messages of others above what was read last, counted up to 100."""

    unread: int


class UnreadList(Answer):
    items: list[Unread]


class Membership(Answer):
    """The caller's own place in a channel."""

    role: MemberRole
    joined_at: Moment
    muted_until: Moment | None
    last_read_seq: int


class Channel(Answer):
    """`epoch` and `last_seq` are the channel's position; `membership` is null for one who is not a member."""

    id: UUID
    slug: str | None
    name: str
    description: str
    kind: AnyKind
    history: History
    created_by: UUID
    created_at: Moment
    updated_at: Moment
    archived_at: Moment | None
    slow_mode_seconds: int
    max_members: int | None
    version: int
    epoch: int
    last_seq: int
    membership: Membership | None = None


class Member(Answer):
    user_id: UUID
    username: str
    display_name: str
    role: MemberRole
    joined_at: Moment
    muted_until: Moment | None
