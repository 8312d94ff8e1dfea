"""What leaves the app when something is refused: every error of FastAPI and Starlette becomes a problem document.

The table of codes is the service's `catalogue`; refusals before the app (host, size, origin, limits) are the guard's.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from signalink_core.errors import BadRequest, NotFound, SignalinkError
from signalink_core.guard import problems as wire
from signalink_core.web.catalogue import Catalogue, Invalid, MethodNotAllowed, UnsupportedMediaType

_BODYLESS = ("json_invalid", "missing", "model_attributes_type", "dict_type")


def install(app: FastAPI, catalogue: Catalogue) -> None:
    """Every way an endpoint can fail ends in `document`, with a code of this table."""
    app.state.catalogue = catalogue
    app.add_exception_handler(SignalinkError, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_crash)


def document(
    scope: Mapping[str, Any], error: SignalinkError, catalogue: Catalogue, extra: Mapping[str, str] | None = None
) -> Response:
    """The problem document of an error that the table knows; any other is a fault of ours and says nothing."""
    if error.code not in catalogue:
        error = _crash()
    status, headers, body = wire.answer(error, scope.get("state", {}).get("request_id", ""))
    response = Response(body, status)
    response.raw_headers = [*headers, *((k.lower().encode(), v.encode()) for k, v in (extra or {}).items())]
    return response


def answer(request: Request, error: SignalinkError, extra: Mapping[str, str] | None = None) -> Response:
    """As `document`, with the catalogue of the app that got the request."""
    return document(request.scope, error, cast(Catalogue, request.app.state.catalogue), extra)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignalinkError)  # noqa: S101 - registered for this class only
    return answer(request, error)


async def _on_crash(request: Request, _error: Exception) -> Response:
    """Starlette raises the error again after this answer, and the guard logs it."""
    return answer(request, _crash())


async def _on_http(request: Request, error: Exception) -> Response:
    """What Starlette's router answers itself."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return answer(request, NotFound("There is nothing at this path."), headers)
    if error.status_code == 405:
        refused = MethodNotAllowed(f"This path does not take {request.method}.")
        return answer(request, refused, {"allow": ", ".join(_methods(request))})
    if error.status_code < 500:
        return answer(request, BadRequest(str(error.detail)), headers)
    return answer(request, _crash(), headers)


def _methods(request: Request) -> list[str]:
    """Of every route at this path; Starlette's own header names the first one's only."""
    matching = [route for route in request.app.state.routes if route.path_regex.match(request.scope["path"])]
    return sorted({method for route in matching for method in route.methods})


async def _on_invalid(request: Request, error: Exception) -> Response:
    """Field by field, never with the value: it may be a password."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    found = error.errors()
    if found and found[0]["type"] == "json_invalid":
        return answer(request, BadRequest("The body is not JSON.", next_step="send one JSON object."))
    if _is_other_media(request, found):
        return answer(request, UnsupportedMediaType("The body must be `application/json`."))
    return answer(request, Invalid("The request is not valid; see `errors`.", errors=_fields(found)))


def _is_other_media(request: Request, found: Sequence[Any]) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    about_body = any(item["loc"] == ("body",) and item["type"] in _BODYLESS for item in found)
    return about_body and has_body and not is_json


def _fields(found: Sequence[Any]) -> list[dict[str, str]]:
    return [
        {
            "field": ".".join(str(part) for part in item["loc"]),
            "message": str(item["msg"]),
            "kind": str(item["type"]),
        }
        for item in found[:20]
    ]


def _crash() -> SignalinkError:
    return SignalinkError("The service made a mistake; `instance` finds it in the log.")
