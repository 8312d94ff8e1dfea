"""OpenAPI 3.1 of a service's app and its table of problems as text; a service's own command writes them to docs/api."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant

from signalink_core.web import identity
from signalink_core.web.catalogue import Catalogue
from signalink_core.web.operations import ProblemDocument

REF = "#/components/schemas/{model}"
SCHEME = "access_token"
Schemes = Mapping[Callable[..., Any], str]
"""Dependency that identifies a caller -> name of the bearer scheme it takes."""
CALLERS: Schemes = {identity.caller: SCHEME, identity.poster: SCHEME}
HEADERS = {
    "RequestId": {"description": "Finds the request in the logs.", "schema": {"type": "string"}},
    "RetryAfter": {"description": "Seconds.", "schema": {"type": "integer"}},
}


def document(app: FastAPI, own: Schemes | None = None) -> dict[str, Any]:
    """FastAPI's own document, with problem documents and the bearer schemes: of users, and a service's `own`."""
    callers = {**CALLERS, **(own or {})}
    made = app.openapi()
    schemas = made["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = ProblemDocument.model_json_schema(ref_template=REF)
    schemas |= problem.pop("$defs") | {"ProblemDocument": problem}
    made["components"]["securitySchemes"] = {
        name: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"} for name in sorted({*callers.values()})
    }
    made["components"]["headers"] = HEADERS
    for route in app.state.routes:
        for method in route.methods or ():
            _finish(made["paths"][route.path][method.lower()], _scheme(route.dependant, callers))
    return made


def problem_rows(catalogue: Catalogue) -> str:
    """A Markdown table, one row per code."""
    rows = [f"| `{row.code}` | {row.status} | {row.when} |" for row in catalogue.values()]
    return "\n".join(["| code | status | when |", "|---|---|---|", *rows, ""])


def write(app: FastAPI, path: Path, own: Schemes | None = None) -> None:
    """The document as JSON; its folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(app, own), indent=1, ensure_ascii=False) + "\n", "utf-8")


def _finish(operation: dict[str, Any], scheme: str | None) -> None:
    if scheme is not None:
        operation["security"] = [{scheme: []}]
    for status, response in operation["responses"].items():
        response["headers"] = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
        if status in ("429", "503"):
            response["headers"]["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}


def _scheme(dependant: Dependant, callers: Schemes) -> str | None:
    found = (callers.get(inner.call) for inner in dependant.dependencies if inner.call is not None)
    return next((scheme for scheme in found if scheme is not None), None)
