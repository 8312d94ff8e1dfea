"""The public HTTP side of a FastAPI service: who calls, what a refusal looks like, how routes are documented, guarded.

For the services whose extra has fastapi; the gateway and the relay do without. Owns no route and no rule of a product:
a service brings its routers, its catalogue of problems and one object that satisfies `edge.Edge`. In the order of use:
`catalogue`, `operations`, `schemas`, `text`, `identity` (routes); `application`, `public` (the app); `openapi`.
"""
