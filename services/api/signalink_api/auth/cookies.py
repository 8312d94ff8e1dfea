"""How a browser keeps its refresh token, and how it proves that our own page asks to use it.

HttpOnly, SameSite=Strict, only sent to /v1/auth. `__Secure-` needs TLS; on loopback HTTP the plain name is used.
"""

from fastapi import Request, Response

from signalink_api import parts
from signalink_core.errors import OriginRefused

NAME = "signalink_refresh"
PATH = "/v1/auth"
CLIENT_HEADER = "X-Signalink-Client"
BROWSER = "browser"


def name(secure: bool) -> str:
    return f"__Secure-{NAME}" if secure else NAME


def put(request: Request, response: Response, token: str, seconds: int) -> None:
    secure = parts.of(request).secure_cookies
    response.set_cookie(
        name(secure), token, max_age=seconds, path=PATH, httponly=True, secure=secure, samesite="strict"
    )


def drop(request: Request, response: Response) -> None:
    secure = parts.of(request).secure_cookies
    response.delete_cookie(name(secure), path=PATH, httponly=True, secure=secure, samesite="strict")


def read(request: Request) -> str | None:
    """The token in the cookie, for a request that a script of an allowed origin made.

    A form or a link of another site can send neither the header nor (through the guard) another origin; OriginRefused.
    """
    token = request.cookies.get(name(parts.of(request).secure_cookies))
    if token is None:
        return None
    if request.headers.get(CLIENT_HEADER) != BROWSER:
        raise OriginRefused(
            "The cookie counts only with a header that scripts alone can set.",
            next_step=f"send `{CLIENT_HEADER}: {BROWSER}`.",
        )
    if request.headers.get("origin") not in parts.of(request).origins:
        raise OriginRefused("The cookie counts only from a page of an allowed origin.")
    return token
