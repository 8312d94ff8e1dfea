"""Routes of accounts and sessions. A browser keeps the refresh token in a cookie, other clients in the body."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from signalink_api import parts
from signalink_api.auth import cookies
from signalink_api.auth.schemas import Jwks, LoginRequest, RefreshRequest, Registered, RegisterRequest, Tokens
from signalink_api.auth.service import Device, Opened
from signalink_api.problems import Unauthorised, refusals
from signalink_core.errors import TokenInvalid
from signalink_core.web import edge, identity

JWKS_SECONDS = 600
router = APIRouter(prefix="/v1/auth", tags=["auth"])
keys = APIRouter(tags=["auth"])

Client = Annotated[
    str | None,
    Header(
        alias=cookies.CLIENT_HEADER,
        description="`cli` gets the refresh token in the body; anything else is a browser and gets a cookie.",
        max_length=32,
    ),
]


@router.post("/register", status_code=201, responses=refusals("conflict", "queue_full", body=True, signed_in=False))
async def register(asked: RegisterRequest, request: Request) -> Registered:
    """Open an account as a plain member. Not idempotent: repeating answers 409."""
    return Registered(user=await parts.of(request).auth.register(asked, _device(request)))


@router.post("/login", responses=refusals("queue_full", body=True))
async def login(asked: LoginRequest, request: Request, response: Response, client: Client = None) -> Tokens:
    """Open a session. Each repeat opens another one."""
    opened = await parts.of(request).auth.login(asked, _device(request))
    return _give(request, response, opened, in_body=client == "cli")


@router.post("/refresh", responses=refusals(body=True))
async def refresh(request: Request, response: Response, asked: RefreshRequest | None = None) -> Tokens:
    """The next tokens. Repeatable for 5 s when the answer was lost; a later repeat ends the session."""
    given = asked.refresh_token if asked is not None else None
    token = given or cookies.read(request)
    if token is None:
        raise Unauthorised("missing", "There is no refresh token in the body or the cookie.")
    opened = await parts.of(request).auth.refresh(token, _device(request))
    return _give(request, response, opened, in_body=given is not None)


@router.post("/logout", status_code=204, responses=refusals(body=True))
async def logout(request: Request, response: Response, asked: RefreshRequest | None = None) -> None:
    """End this session: by the access token, else by the refresh token. Repeating changes nothing."""
    service = parts.of(request).auth
    token = (asked.refresh_token if asked is not None else None) or cookies.read(request)
    try:
        caller = await identity.caller(request)
    except TokenInvalid:
        if token is None:
            raise
        await service.logout_by_token(token)
    else:
        await service.logout(caller.session_id, caller.user_id)
    cookies.drop(request, response)


@router.post("/logout-all", status_code=204, responses=refusals())
async def logout_all(request: Request, response: Response, caller: identity.SignedIn) -> None:
    """End all your sessions, on every device. Repeating needs a session, and so ends that one."""
    await parts.of(request).auth.logout_all(caller.user_id)
    cookies.drop(request, response)


@keys.get("/.well-known/jwks.json", responses=refusals(signed_in=False))
async def jwks(request: Request, response: Response) -> Jwks:
    """The public keys that access tokens and tickets are signed with."""
    response.headers["Cache-Control"] = f"public, max-age={JWKS_SECONDS}"
    return Jwks.model_validate(parts.of(request).keys.jwks())


def _give(request: Request, response: Response, opened: Opened, *, in_body: bool) -> Tokens:
    if not in_body:
        cookies.put(request, response, opened.refresh_token, opened.refresh_seconds)
    return Tokens(
        access_token=opened.access_token,
        expires_in=opened.expires_in,
        refresh_token=opened.refresh_token if in_body else None,
        user=opened.user,
    )


def _device(request: Request) -> Device:
    return Device(edge.client_ip(request), request.headers.get("user-agent", ""))
