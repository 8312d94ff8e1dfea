"""Owns what the public API lets through: the paths of the services' OpenAPI documents, and which service each is for.

Pure but for reading docs/api. The page's own files are the api's, so every other GET goes there.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signalink_core.errors import ConfigurationError

DOCUMENTS: Final = {
    "api": "openapi.json",
    "analytics": "analytics.openapi.json",
    "notifications": "notifications.openapi.json",
}
"""Service -> its document under docs/api."""
HOME: Final = "api"
"""Whose the page is."""
PAGE: Final = ("GET /", "GET /{proxy+}")
SOCKET: Final = "/v1/socket"


@dataclass(frozen=True, slots=True)
class Route:
    """`key` as an HTTP API writes it: `ANY /v1/channels/{channel_id}`."""

    key: str
    service: str


def read(root: Path) -> tuple[Route, ...]:
    """Every path of every document once, then the page. What a path's methods are is the service's to say."""
    paths = {
        (f"ANY {path}", service)
        for service, name in DOCUMENTS.items()
        for path in json.loads((root / "docs/api" / name).read_text(encoding="utf-8"))["paths"]
    }
    routes = tuple(Route(key, service) for key, service in sorted(paths))
    prefixes(routes)
    return (*routes, *(Route(key, HOME) for key in PAGE))


def prefixes(routes: Iterable[Route]) -> dict[str, tuple[str, ...]]:
    """Service -> the beginnings of its paths, two parts deep. ConfigurationError when two services share one."""
    owners: dict[str, str] = {}
    for route in routes:
        if route.key in PAGE:
            continue
        beginning = "/".join(route.key.partition(" ")[2].split("/")[:3])
        other = owners.setdefault(beginning, route.service)
        if other != route.service:
            raise ConfigurationError(
                f"Paths that begin with {beginning} are {other}'s and {route.service}'s: a load balancer cannot tell.",
                next_step="give one service another beginning.",
            )
    return {
        service: tuple(sorted(path for path, owner in owners.items() if owner == service))
        for service in sorted(set(owners.values()))
    }
