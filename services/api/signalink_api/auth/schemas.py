"""Bodies of the auth routes: what a name, an e-mail address and a password may be, and what a session answers."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from signalink_api.auth import passwords
from signalink_core.web.schemas import Answer, Moment, Request
from signalink_core.web.text import Line

_USERNAME = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])$"
_EMAIL = r"^[^\s@\x00-\x20\x7f-\x9f]{1,64}@[A-Za-z0-9.-]{1,185}\.[A-Za-z]{2,63}$"
Username = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_USERNAME)]
Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=_EMAIL)]
DisplayName: Any = Line(64, least=0)


def _sayable(password: str) -> str:
    if any(ord(sign) < 32 for sign in password):
        raise ValueError("Control characters are not allowed")
    return password


Password = Annotated[
    str, StringConstraints(min_length=passwords.SHORTEST, max_length=passwords.LONGEST), AfterValidator(_sayable)
]
Role = Literal["member", "moderator", "admin"]


class RegisterRequest(Request):
    username: Username
    email: Email
    password: Password
    display_name: DisplayName = ""


class LoginRequest(Request):
    """`username` or `email`, not both."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    email: Annotated[str, StringConstraints(min_length=3, max_length=254)] | None = None
    password: Annotated[str, StringConstraints(min_length=1, max_length=passwords.LONGEST)]


class RefreshRequest(Request):
    """Clients that are no browser; a browser sends its cookie and an empty object or nothing."""

    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None


class Me(Answer):
    """A user as they see themselves."""

    id: UUID
    username: str
    email: str
    display_name: str
    role: Role
    status: str
    created_at: Moment


class Registered(Answer):
    user: Me


class Tokens(Answer):
    """`refresh_token` only with the header `X-Signalink-Client: cli`; browsers get a cookie scripts cannot read."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme of RFC 6750
    expires_in: int = Field(description="Seconds.")
    refresh_token: str | None = None
    user: Me


class Jwk(Answer):
    kty: str
    crv: str
    use: str
    alg: str
    kid: str
    x: str


class Jwks(Answer):
    keys: list[Jwk]
