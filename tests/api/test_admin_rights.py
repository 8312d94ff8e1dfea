"""Who may use the admin routes: services with a good token, and nobody else; it opens nothing else."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from adminworld import HOLDER, Operator, fresh_slug, issue, operator
from apiworld import ORIGIN, World
from test_route_rights import MATRIX

from signalink_api import service_tokens
from signalink_core.auth.service_tokens import ServiceTokenSigner
from signalink_core.clock import utc_now
from signalink_core.errors import ConfigurationError, Conflict, NotFound
from signalink_core.ids import uuid7

ROUTES: list[tuple[str, dict[str, Any]]] = [
    ("PUT", {"json": {"managed_by": HOLDER}}),
    ("GET", {}),
    ("DELETE", {"params": {"managed_by": HOLDER, "mode": "delete"}}),
]


async def asked(world: World, token: str | None, slug: str | None = None) -> list[httpx.Response]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    path = f"/v1/admin/channels/{slug or fresh_slug()}"
    return [await world.http.request(method, path, headers=headers, **more) for method, more in ROUTES]


def reasons(answers: list[httpx.Response]) -> set[tuple[int, str, str]]:
    return {(answer.status_code, answer.json()["code"], answer.json().get("reason")) for answer in answers}


async def test_no_user_and_no_admin_gets_in_with_a_token_of_their_own(world: World) -> None:
    for role in ("member", "moderator", "admin"):
        person = await world.ready_made(role=role)
        assert reasons(await asked(world, person.access)) == {(401, "unauthorised", "type")}
    ticket = await person.post("/v1/ws-tickets", {}, headers={"Origin": ORIGIN})
    assert reasons(await asked(world, ticket.json()["ticket"])) == {(401, "unauthorised", "malformed")}
    assert reasons(await asked(world, None)) == {(401, "unauthorised", "missing")}


async def test_a_token_without_the_scope_is_known_and_refused(world: World) -> None:
    service = await operator(world)
    await world.execute("UPDATE messaging.service_tokens SET scopes = '{other}'")
    assert {code for _, code, _ in reasons(await asked(world, service.issued.token))} == {"forbidden"}


async def test_what_is_signed_but_not_issued_is_refused(world: World) -> None:
    """As an api's key in other hands would do it: the row is what makes a token good."""
    signer = ServiceTokenSigner(world.api.keys, world.api.settings.auth.issuer)
    forged = signer.sign("operator", ["channels:admin"], uuid7(), utc_now() + timedelta(days=1))
    assert reasons(await asked(world, forged)) == {(401, "unauthorised", "revoked")}
    issued = await issue(world, "narrow")
    renamed = signer.sign("operator", ["channels:admin"], issued.id, issued.expires_at)
    assert reasons(await asked(world, renamed)) == {(401, "unauthorised", "revoked")}
    await world.execute("UPDATE messaging.service_tokens SET scopes = '{other}' WHERE id = $1", issued.id)
    widened = signer.sign("narrow", ["channels:admin", "other"], issued.id, issued.expires_at)
    assert {code for _, code, _ in reasons(await asked(world, widened))} == {"forbidden"}


async def test_a_revoked_or_ended_token_is_refused_at_once(world: World) -> None:
    service, other = await operator(world), await operator(world)
    assert (await service.put(fresh_slug())).status_code == 201
    assert await service_tokens.revoke(world.database.settings("owner"), str(service.issued.id)) == [service.issued.id]
    assert reasons(await asked(world, service.issued.token)) == {(401, "unauthorised", "revoked")}
    assert (await other.put(fresh_slug())).status_code == 201
    await world.execute("UPDATE messaging.service_tokens SET expires_at = now() - interval '1 s'")
    assert reasons(await asked(world, other.issued.token)) == {(401, "unauthorised", "revoked")}


async def test_a_rotation_has_both_tokens_good_until_the_old_one_is_revoked(world: World) -> None:
    old = await operator(world)
    new = Operator(world, await issue(world))
    owner = world.database.settings("owner")
    for service in (old, new):
        assert (await service.put(fresh_slug())).status_code == 201
    assert await service_tokens.revoke(owner, "operator", keep=new.issued.id) == [old.issued.id]
    assert await service_tokens.revoke(owner, "operator", keep=new.issued.id) == []
    assert (await old.put(fresh_slug())).status_code == 401
    assert (await new.put(fresh_slug())).status_code == 201


async def test_tokens_are_bounded_in_number_and_life_and_on_record(world: World) -> None:
    owner = world.database.settings("owner")
    answers = await asyncio.gather(*(issue(world) for _ in range(12)), return_exceptions=True)
    assert sum(isinstance(answer, Conflict) for answer in answers) == 4
    await service_tokens.revoke(owner, "operator")
    issued = await issue(world, days=1)
    assert abs((issued.expires_at - utc_now() - timedelta(days=1)).total_seconds()) < 60
    for wrong in ({"days": 0}, {"days": 366}, {"name": "Operator"}, {"name": ""}):
        with pytest.raises(ConfigurationError):
            await issue(world, **wrong)  # type: ignore[arg-type]
    for scopes in ([], ["channels:admin", "everything"]):
        with pytest.raises(ConfigurationError):
            await service_tokens.issue(owner, world.api.keys, "signalink", "operator", scopes)
    with pytest.raises(NotFound):
        await service_tokens.revoke(owner, "nobody")
    rows = await world.execute("SELECT action, count(*) AS n FROM messaging.audit_log GROUP BY 1 ORDER BY 1")
    assert {row["action"]: row["n"] for row in rows} == {"service_token.issue": 9, "service_token.revoke": 8}
    states = [(one.live, one.revoked_at is None) for one in await service_tokens.listed(owner)]
    assert states.count((True, True)) == 1
    assert states.count((False, False)) == 8


async def test_services_that_are_new_at_the_same_moment_get_their_tokens(world: World) -> None:
    """Several statements make the same account: each of its two unique indexes may be where they meet."""
    for round_ in range(20):
        answers = await asyncio.gather(*(issue(world, f"new-{round_}") for _ in range(6)))
        assert len({one.id for one in answers}) == 6


async def test_no_secret_is_kept_in_the_database(world: World) -> None:
    issued = await issue(world)
    for table in ("service_tokens", "audit_log", "users"):
        rows = await world.execute(f"SELECT t::text AS row FROM messaging.{table} t")
        assert all(issued.token.rpartition(".")[2] not in row["row"] for row in rows)


@pytest.mark.parametrize(("method", "path"), sorted(MATRIX))
async def test_a_service_token_opens_no_other_route(world: World, method: str, path: str) -> None:
    issued = await issue(world)
    names = dict.fromkeys(("channel_id", "message_id", "user_id", "device_id"), str(uuid7())) | {"slug": fresh_slug()}
    body = {"client_id": "k", "body": "x"} if path.endswith("/messages") and method == "POST" else None
    answer = await world.http.request(
        method, path.format(**names), headers={"Authorization": f"Bearer {issued.token}"}, json=body
    )
    free = {"/v1/auth/register", "/v1/auth/login", "/.well-known/jwks.json", "/v1/addresses"}
    if path.startswith("/v1/admin/"):
        assert answer.status_code != 401
    elif path not in free:
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised")


async def test_the_account_of_a_service_can_do_nothing_that_people_do(world: World) -> None:
    await operator(world)
    ann = await world.ready_made()
    channel = await ann.channel()
    account = (await world.execute("SELECT id FROM messaging.users WHERE kind = 'service'"))[0]["id"]
    added = await ann.post(f"/v1/channels/{channel['id']}/members", {"user_id": str(account)})
    written = await ann.post("/v1/direct", {"user_id": str(account)})
    assert (added.status_code, written.status_code) == (404, 404)
    assert (await ann.get(f"/v1/users/{account}")).status_code == 404
    assert (await ann.get("/v1/users", q="service")).json()["items"] == []
    assert (await world.login("service:operator", "!")).status_code == 401
    for username, email in (("service:x", "x@example.org"), ("free", "service:operator@service")):
        body = {"username": username, "email": email, "password": "a good long sentence 7"}
        assert (await world.http.post("/v1/auth/register", json=body)).status_code == 422
    with pytest.raises(Exception, match="users_service_is_disabled"):
        await world.execute("UPDATE messaging.users SET disabled_at = NULL WHERE id = $1", account)


async def test_services_have_a_rate_of_their_own(make_world: Any) -> None:
    world: World = await make_world(limits={"requests_per_second_per_user": 3})
    service = await operator(world)
    answers = await asyncio.gather(*(service.call("GET", fresh_slug()) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {404, 429}
    limited = next(answer for answer in answers if answer.status_code == 429)
    assert limited.headers["retry-after"] == "1"


async def test_claims_of_a_token_are_those_of_the_contract(world: World) -> None:
    issued = await issue(world)
    claims = jwt.decode(issued.token, options={"verify_signature": False})
    assert set(claims) == {"iss", "aud", "sub", "scope", "iat", "nbf", "exp", "jti"}
    assert (claims["aud"], claims["sub"], claims["scope"]) == ("signalink-admin", "operator", "channels:admin")
    assert claims["exp"] == int(issued.expires_at.timestamp())
    assert jwt.get_unverified_header(issued.token)["typ"] == "service+jwt"
