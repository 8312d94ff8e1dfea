"""Bodies of the user routes: what a user may change about themselves, and nothing about their role."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from signalink_core.web.schemas import Answer, Request
from signalink_core.web.text import Line

DisplayName: Any = Line(64)
Status: Any = Line(128, least=0)


class ProfilePatch(Request):
    """What is absent stays."""

    display_name: Annotated[DisplayName, Field(default=None)]
    status: Annotated[Status, Field(default=None)]

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("Name at least one of display_name, status")
        return self


class SearchQuery(Request):
    q: Annotated[Line(64), Field(description="How the username begins, without regard to case.")]  # type: ignore[valid-type]
    limit: Annotated[int, Field(default=20, ge=1, le=50)]


class Person(Answer):
    """What everybody may know of a user."""

    id: UUID
    username: str
    display_name: str
    status: str


class People(Answer):
    items: list[Person]
