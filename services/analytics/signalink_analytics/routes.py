"""The FastAPI app of the public port: its routes and its documents. What guards it is `public`'s."""

from fastapi import FastAPI
from fastapi.routing import APIRoute

from signalink_analytics import endpoints
from signalink_analytics.parts import Parts
from signalink_analytics.problems import CATALOGUE
from signalink_core.web import application

ROUTERS = (endpoints.router,)


def create_app(parts: Parts | None = None) -> FastAPI:
    """Without `parts` it can only describe itself."""
    return application.make(
        title="Signalink analytics",
        version="1.0.0",
        description="Figures of messages, channels and users of Signalink. Errors are RFC 9457 problem documents.",
        routers=ROUTERS,
        catalogue=CATALOGUE,
        parts=parts,
    )


def routes() -> list[APIRoute]:
    """Every public route, in the order they are matched."""
    return application.routes_of(ROUTERS)
