"""What the edge asks of a service: one typed object on the application's state, and the address of the client."""

from typing import Protocol, cast

from fastapi import Request

from signalink_core.auth.tokens import Claims, TokenVerifier
from signalink_core.guard.limits import Limiter
from signalink_core.guard.rules import Rules


class Revoked(Protocol):
    """`revocations.Revocations`, or what stands for it in a test."""

    def refuses(self, claims: Claims) -> bool: ...


class Edge(Protocol):
    """A service's own object of parts has these among its own; `of` is then narrowed with a cast."""

    @property
    def verifier(self) -> TokenVerifier: ...

    @property
    def revocations(self) -> Revoked: ...

    @property
    def limiter(self) -> Limiter: ...

    @property
    def rules(self) -> Rules: ...


def of(request: Request) -> Edge:
    return cast(Edge, request.app.state.parts)


def client_ip(request: Request) -> str:
    """The address the guard found, behind trusted proxies too."""
    return cast(str, request.scope["state"]["client_ip"])
