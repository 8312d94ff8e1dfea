"""The public HTTP side: the routes of every feature, and who may knock. Clients and services are built by `app`."""

from dataclasses import replace
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI

from signalink_core.guard.asgi import App, Limits
from signalink_core.web import application, public
from signalink_notifications.history import endpoints as history_endpoints
from signalink_notifications.mutes import endpoints as mute_endpoints
from signalink_notifications.parts import Parts
from signalink_notifications.preferences import endpoints as preference_endpoints
from signalink_notifications.problems import CATALOGUE
from signalink_notifications.settings import Settings
from signalink_notifications.unsubscribe import endpoints as unsubscribe_endpoints

ROUTERS: tuple[APIRouter, ...] = (
    preference_endpoints.router,
    mute_endpoints.router,
    history_endpoints.router,
    unsubscribe_endpoints.router,
)


def create_app(parts: Parts | None = None) -> FastAPI:
    """The routes. Without `parts` it can only describe itself."""
    return application.make(
        title="Signalink notifications",
        version="1.0.0",
        description="Who wants to be told what, and how. Errors are RFC 9457 problem documents.",
        routers=ROUTERS,
        catalogue=CATALOGUE,
        parts=parts,
    )


def guarded(app: App, settings: Settings, limits: Limits) -> App:
    """As the public port serves it. Its own origin is let in too: the page of the unsubscribe link posts a form."""
    own = settings.notifications
    policy = public.policy(
        settings.edge, settings.limits, url=own.url, hosts=own.hosts, trusted_proxies=own.trusted_proxies
    )
    return public.guarded(app, replace(policy, origins=frozenset(policy.origins) | {origin_of(own.url)}), limits)


def origin_of(url: str) -> str:
    """What a browser sends as Origin from a page at this address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
