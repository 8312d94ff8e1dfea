"""Bodies of the user routes: what a user may change about themselves, and nothing about their role."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from signalink_core.web.schemas import Request
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
