"""OpenAPI 3.1 of a service's app and its table of problems as text; a service's own command writes them to docs/api."""

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant

from signalink_core.web import identity
from signalink_core.web.catalogue import Catalogue
from signalink_core.web.operations import ProblemDocument

REF = "#/components/schemas/{model}"
SCHEME = "access_token"
HEADERS = {
    "RequestId": {"description": "Finds the request in the logs.", "schema": {"type": "string"}},
    "RetryAfter": {"description": "Seconds.", "schema": {"type": "integer"}},
}


def document(app: FastAPI) -> dict[str, Any]:
    """FastAPI's own document, with problem documents and the bearer scheme."""
    made = app.openapi()
    schemas = made["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = ProblemDocument.model_json_schema(ref_template=REF)
    schemas |= problem.pop("$defs") | {"ProblemDocument": problem}
    made["components"]["securitySchemes"] = {SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    made["components"]["headers"] = HEADERS
    for route in app.state.routes:
        for method in route.methods or ():
            _finish(made["paths"][route.path][method.lower()], signed_in=_needs_token(route.dependant))
    return made


def problem_rows(catalogue: Catalogue) -> str:
    """A Markdown table, one row per code."""
    rows = [f"| `{row.code}` | {row.status} | {row.when} |" for row in catalogue.values()]
    return "\n".join(["| code | status | when |", "|---|---|---|", *rows, ""])


def write(app: FastAPI, path: Path) -> None:
    """The document as JSON; its folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(app), indent=1, ensure_ascii=False) + "\n", "utf-8")


def _finish(operation: dict[str, Any], *, signed_in: bool) -> None:
    if signed_in:
        operation["security"] = [{SCHEME: []}]
    for status, response in operation["responses"].items():
        response["headers"] = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
        if status in ("429", "503"):
            response["headers"]["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}


def _needs_token(dependant: Dependant) -> bool:
    return any(inner.call in (identity.caller, identity.poster) for inner in dependant.dependencies)
