"""The FastAPI app of a service: its routers, problem documents, operation names; no telemetry of its own.

What guards it is `public`, what documents it is `openapi`.
"""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from signalink_core.web import answers
from signalink_core.web.catalogue import Catalogue
from signalink_core.web.edge import Edge
from signalink_core.web.operations import operation_id


def make(
    *,
    title: str,
    version: str,
    description: str,
    routers: Sequence[APIRouter],
    catalogue: Catalogue,
    parts: Edge | None,
) -> FastAPI:
    """The routes in the order of `routers`. Without `parts` it can only describe itself."""
    app = FastAPI(
        title=title,
        version=version,
        description=description,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.parts = parts
    app.state.routes = routes_of(routers)
    answers.install(app, catalogue)
    for router in routers:
        app.include_router(router)
    return app


def routes_of(routers: Sequence[APIRouter]) -> list[APIRoute]:
    """Every public route, in the order they are matched."""
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
