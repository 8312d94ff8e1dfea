"""An app as its public port serves it: guard outside, then CORS with its exact list, then the routes."""

from collections.abc import Callable, Sequence

from starlette.middleware.cors import CORSMiddleware

from signalink_core.guard import controls
from signalink_core.guard.asgi import App, Guard, Limits, Message, Policy, Receive, Send
from signalink_core.guard.rules import Rules
from signalink_core.settings import EdgeSettings, LimitSettings

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
HEADERS = ("authorization", "content-type", "idempotency-key", "traceparent", "x-request-id", "x-signalink-client")
EXPOSED = ("Retry-After", "X-Request-Id")
CORS_SECONDS = 600
VARY = (b"vary", b"Origin")
"""On every answer: it would be another one for a page of another origin."""


def policy(
    edge: EdgeSettings,
    limits: LimitSettings,
    *,
    url: str,
    hosts: Sequence[str] = (),
    trusted_proxies: Sequence[controls.Network] = (),
    defers: Callable[[Message], bool] = lambda _: False,
) -> Policy:
    """Who may knock. `url`: the address people use; `hosts`: further names. TLS is what that address says."""
    return Policy(
        rules=Rules.of(limits),
        origins=frozenset(edge.ws_origins),
        hosts=controls.hosts_of(url) | frozenset(hosts),
        trusted_proxies=trusted_proxies,
        tls=over_tls(url),
        defers=defers,
    )


def cors(app: App, origins: Sequence[str]) -> App:
    """Answers preflights, and lets pages of exactly these origins read answers."""
    return _WithOrigin(
        app,
        CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=HEADERS,
            allow_credentials=True,
            expose_headers=EXPOSED,
            max_age=CORS_SECONDS,
        ),
    )


class _WithOrigin:
    """CORS is a browser's affair: a request without an Origin goes past it, at a fiftieth of the cost."""

    def __init__(self, app: App, cors: App) -> None:
        self._app, self._cors = app, cors

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or any(name == b"origin" for name, _ in scope["headers"]):
            await self._cors(scope, receive, send)
            return

        async def varied(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), VARY]
            await send(message)

        await self._app(scope, receive, varied)


def guarded(app: App, policy: Policy, limits: Limits) -> App:
    """The whole of it, for an app without a page of its own."""
    return Guard(cors(app, sorted(policy.origins)), policy=policy, limits=limits)


def over_tls(url: str) -> bool:
    """The address people use decides: on plain loopback HTTP no cookie may ask for TLS."""
    return url.startswith("https://")
