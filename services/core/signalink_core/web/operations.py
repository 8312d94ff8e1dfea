"""How routes are documented: the problems each may answer, the headers every answer carries."""

from collections import defaultdict
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from signalink_core.web.catalogue import Catalogue

PROBLEM_JSON = "application/problem+json"
ALWAYS = ("bad_request", "host_refused", "origin_refused", "too_large", "rate_limited", "internal", "unavailable")
WITH_BODY = ("unsupported_media_type", "validation")


class FieldProblem(BaseModel):
    """One field that is not valid."""

    field: str = Field(examples=["body.slug"])
    message: str
    kind: str


class ProblemDocument(BaseModel):
    """RFC 9457. `code` is stable; `instance` is the request id."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    next_step: str | None = None
    reason: str | None = None
    errors: list[FieldProblem] | None = None


class Refusals:
    """Calls give the `responses` of a route: its own codes and those every route may answer, by status."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def __call__(self, *codes: str, body: bool = False, signed_in: bool = True) -> dict[int | str, dict[str, Any]]:
        """`body`: the route takes one. A code that the catalogue lacks is a KeyError."""
        wanted = [*codes, *ALWAYS, *(WITH_BODY if body else ()), *(("unauthorised",) if signed_in else ())]
        by_status: dict[int, list[str]] = defaultdict(list)
        for code in dict.fromkeys(wanted):
            by_status[self._catalogue[code].status].append(code)
        return {status: self._response(found) for status, found in sorted(by_status.items())}

    def _response(self, codes: list[str]) -> dict[str, Any]:
        text = "\n".join(f"- `{code}`: {self._catalogue[code].when}" for code in codes)
        return {
            "description": text,
            "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }


def operation_id(route: APIRoute) -> str:
    """`channels_join`: stable names for generated clients."""
    return f"{route.tags[0] if route.tags else 'service'}_{route.name}"
