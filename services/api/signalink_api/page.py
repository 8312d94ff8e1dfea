"""Serves the built browser UI at `/`: which file answers a path, how long it may be kept, what the page may do.

The files are made by `make ui` from services/ui. Everything under /v1 and /.well-known, and every request that is no
navigation and names no file, is left to the routes.
"""

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from signalink_api import problems
from signalink_core.guard import problems as wire
from signalink_core.guard.asgi import App, Message, Receive, Send

BUILT: Final = Path(__file__).parent / "ui_static"
INDEX: Final = "index.html"
ROUTE: Final = SimpleNamespace(path="/")
"""The name of all pages in metrics: file names would be labels without a bound."""
NOT_PAGES: Final = ("/v1/", "/.well-known/")
KEPT_FOR_EVER: Final = "public, max-age=31536000, immutable"


class Page:
    """ASGI in front of the routes. `speaks_to`: addresses besides its own that the page may speak to."""

    def __init__(self, app: App, *, folder: Path, speaks_to: Sequence[str]) -> None:
        self._app = app
        self._folder = folder
        self._files = StaticFiles(directory=folder, check_dir=False)
        self._policy = content_security_policy(speaks_to)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        response = await self._answer(scope) if _may_be_page(scope) else None
        if response is None:
            await self._app(scope, receive, send)
        else:
            scope["route"] = ROUTE
            await response(scope, receive, send)

    async def _answer(self, scope: Message) -> Response | None:
        """The file of this path, the page itself for a navigation, None for what is not the page's."""
        name = str(scope["path"]).lstrip("/")
        wants_page = name in ("", INDEX) or _is_navigation(scope)
        if not (self._folder / INDEX).is_file():
            return _not_built(scope) if wants_page else None
        if name not in ("", INDEX):
            found = await self._file(name, scope)
            if found is not None or not wants_page:
                return found
        return await self._file(INDEX, scope)

    async def _file(self, name: str, scope: Message) -> Response | None:
        try:
            response = await self._files.get_response(name, scope)
        except HTTPException as missing:
            if missing.status_code == HTTPStatus.NOT_FOUND:
                return None
            raise
        response.headers["Cache-Control"] = _kept(name)
        if name == INDEX:
            response.headers["Content-Security-Policy"] = self._policy
        return response


def content_security_policy(speaks_to: Sequence[str]) -> str:
    """What the page may load and speak to; its scripts must not write HTML from text (Trusted Types)."""
    others = [f"{url.scheme}://{url.netloc}" for url in map(urlsplit, speaks_to)]
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            "font-src 'self'",
            " ".join(("connect-src 'self'", *others)),
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _may_be_page(scope: Message) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] in {"GET", "HEAD"}
        and not f"{scope['path']}/".startswith(NOT_PAGES)
        and "\x00" not in scope["path"]
    )


def _is_navigation(scope: Message) -> bool:
    """A browser that goes to an address, not a script or a tool that asks for a file."""
    accepted = [value for name, value in scope["headers"] if name == b"accept"]
    return any(b"text/html" in value for value in accepted) and "." not in str(scope["path"]).rpartition("/")[2]


def _kept(name: str) -> str:
    """Files under assets carry a hash of their content in the name; the page that names them is always asked for."""
    if name == INDEX:
        return "no-store"
    return KEPT_FOR_EVER if name.startswith("assets/") else "no-cache"


def _not_built(scope: Message) -> Response:
    error = problems.PageNotBuilt(
        "The page is not built here; the api itself works.",
        next_step="run `make ui` in the checkout, then load this page again (no restart is needed).",
    )
    status, headers, body = wire.answer(error, scope.get("state", {}).get("request_id", ""))
    response = Response(body, status)
    response.raw_headers = headers
    return response
