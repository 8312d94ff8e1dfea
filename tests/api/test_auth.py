"""Accounts and sessions on a real Postgres and Valkey."""

import asyncio
import time
from typing import Any

import argon2
import httpx
import pytest
from apiworld import ORIGIN, PASSWORD, MakeWorld, World

from signalink_core.telemetry import metrics, names
from signalink_core.testing import eventually

CLI = {"X-Signalink-Client": "cli"}
BROWSER = {"X-Signalink-Client": "browser", "Origin": ORIGIN}


async def refreshed(world: World, token: str) -> httpx.Response:
    return await world.http.post("/v1/auth/refresh", json={"refresh_token": token}, headers=CLI)


COMMON = ["sh0rt!", "Password123!", "P@ssw0rd", "ann@example.org", "aaaaaaaaaa", "87654321"]


def essence(answer: httpx.Response) -> tuple[int, dict[str, Any], set[str]]:
    """All that a client could tell two refusals apart by, without the request id."""
    body = answer.json()
    body.pop("instance")
    return answer.status_code, body, set(answer.headers)


async def test_the_first_registered_user_is_a_plain_member(world: World) -> None:
    made = await world.register("ann")
    assert made.status_code == 201
    user = made.json()["user"]
    assert user["role"] == "member"
    assert user["display_name"] == "ann"
    facts = await world.execute("SELECT type, topic, channel_id FROM messaging.events")
    assert [tuple(row) for row in facts] == [("dev.signalink.user.registered", "analytics", None)]


async def test_a_taken_name_and_a_taken_address_get_the_same_answer_whatever_their_case(world: World) -> None:
    await world.register("ann")
    body = {"username": "ANN", "email": "other@example.org", "password": PASSWORD}
    by_name = await world.http.post("/v1/auth/register", json=body)
    body = {"username": "other", "email": "Ann@Example.org", "password": PASSWORD}
    by_address = await world.http.post("/v1/auth/register", json=body)
    assert by_name.status_code == 409
    assert essence(by_name) == essence(by_address)


@pytest.mark.parametrize(
    "password", ["sh0rt!", "Password123!", "P@ssw0rd", "ann@example.org", "aaaaaaaaaa", "87654321"]
)
async def test_a_password_that_guessers_try_first_is_refused(world: World, password: str) -> None:
    refused = await world.register("ann", password)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "body.password"
    assert password not in refused.text


async def test_rights_cannot_be_taken_at_registration(world: World) -> None:
    body = {"username": "eve", "email": "eve@example.org", "password": PASSWORD, "role": "admin"}
    refused = await world.http.post("/v1/auth/register", json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"field": "body.role", "message": "Extra inputs are not permitted", "kind": "extra_forbidden"}
    ]


async def test_login_works_by_name_and_by_address_in_any_case(world: World) -> None:
    await world.register("ann")
    assert (await world.login("ANN")).status_code == 200
    by_address = await world.http.post("/v1/auth/login", json={"email": "ANN@example.org", "password": PASSWORD})
    assert by_address.status_code == 200
    assert by_address.json()["refresh_token"] is None


async def test_unknown_account_wrong_password_and_disabled_account_answer_alike(world: World) -> None:
    await world.register("ann")
    await world.register("off")
    await world.execute("UPDATE messaging.users SET disabled_at = now() WHERE username = 'off'")
    unknown = await world.login("nobody")
    wrong = await world.login("ann", "not the password")
    disabled = await world.login("off")
    assert unknown.status_code == 401
    assert essence(unknown) == essence(wrong) == essence(disabled)


async def test_an_unknown_account_costs_as_much_work_as_a_wrong_password(world: World) -> None:
    """CPU time of the whole process, which other load on the machine does not change."""
    await world.register("ann")

    async def cost(name: str) -> float:
        began = time.process_time()
        for _ in range(20):
            assert (await world.login(name, "not the password")).status_code == 401
        return time.process_time() - began

    await cost("ann")
    unknown, wrong = await cost("nobody"), await cost("ann")
    assert 0.6 < unknown / wrong < 1.7


async def test_a_hash_with_old_parameters_is_renewed_at_login(world: World) -> None:
    await world.register("ann")
    old = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    await world.execute("UPDATE messaging.users SET password_hash = $1", old)
    assert (await world.login("ann")).status_code == 200
    (row,) = await world.execute("SELECT password_hash FROM messaging.users")
    assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await world.login("ann")).status_code == 200


async def test_a_refresh_token_is_replaced_by_each_use_and_never_stored(world: World) -> None:
    ann = await world.person()
    first = (await refreshed(world, ann.refresh)).json()
    second = (await refreshed(world, first["refresh_token"])).json()
    assert len({ann.refresh, first["refresh_token"], second["refresh_token"]}) == 3
    rows = await world.execute("SELECT generation, refresh_hash FROM messaging.sessions ORDER BY generation")
    assert [row["generation"] for row in rows] == [0, 1, 2]
    stored = b"".join(row["refresh_hash"] for row in rows)
    assert ann.refresh.encode() not in stored


async def test_a_repeat_within_the_grace_gets_the_same_successor(world: World) -> None:
    ann = await world.person()
    answers = [await refreshed(world, ann.refresh) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["refresh_token"] == answers[1].json()["refresh_token"]


async def test_two_refreshes_at_once_leave_one_successor(world: World) -> None:
    ann = await world.person()
    answers = await asyncio.gather(*(refreshed(world, ann.refresh) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    (row,) = await world.execute("SELECT count(*) AS n FROM messaging.sessions")
    assert row["n"] == 2


async def test_a_used_token_ends_the_whole_session_and_is_reported(make_world: MakeWorld) -> None:
    world: World = await make_world(reuse_grace_seconds=0)
    ann = await world.person()
    before = metrics.value(names.REFRESH_REUSE_TOTAL)
    following = (await refreshed(world, ann.refresh)).json()["refresh_token"]
    reused = await refreshed(world, ann.refresh)
    assert reused.status_code == 401
    assert (await refreshed(world, following)).status_code == 401
    assert (await ann.get("/v1/users/me")).status_code == 401
    assert metrics.value(names.REFRESH_REUSE_TOTAL) == before + 1
    (entry,) = await world.execute("SELECT actor_id, action FROM messaging.audit_log")
    assert (str(entry["actor_id"]), entry["action"]) == (ann.id, "session.refresh_reuse")


async def test_within_the_grace_a_token_whose_successor_was_used_ends_the_session(world: World) -> None:
    ann = await world.person()
    following = (await refreshed(world, ann.refresh)).json()["refresh_token"]
    assert (await refreshed(world, following)).status_code == 200
    assert (await refreshed(world, ann.refresh)).status_code == 401


@pytest.mark.parametrize("token", ["x", "a" * 43, "ä" * 43, "a" * 256])
async def test_a_made_up_refresh_token_is_refused(world: World, token: str) -> None:
    assert (await refreshed(world, token)).json()["reason"] == "refresh"


async def test_an_expired_session_cannot_be_refreshed(world: World) -> None:
    ann = await world.person()
    await world.execute("UPDATE messaging.sessions SET expires_at = now() - interval '1 s'")
    assert (await refreshed(world, ann.refresh)).status_code == 401


async def test_logout_ends_access_and_refresh_of_this_session_only(world: World) -> None:
    ann = await world.person("ann")
    other = await world.session("ann")
    assert (await ann.post("/v1/auth/logout")).status_code == 204
    refused = await ann.get("/v1/users/me")
    assert (refused.status_code, refused.json()["reason"]) == (401, "revoked")
    assert (await refreshed(world, ann.refresh)).json()["reason"] == "revoked"
    assert (await other.get("/v1/users/me")).status_code == 200


async def test_logout_all_ends_every_session_of_the_user_and_nobody_elses(world: World) -> None:
    ann, bob = await world.person("ann"), await world.person("bob")
    other = await world.session("ann")
    assert (await ann.post("/v1/auth/logout-all")).status_code == 204
    for ended in (ann, other):
        assert (await ended.get("/v1/users/me")).json()["reason"] == "revoked"
        assert (await refreshed(world, ended.refresh)).json()["reason"] == "revoked"
    assert (await bob.get("/v1/users/me")).status_code == 200
    again = await world.session("ann")
    assert (await again.get("/v1/users/me")).status_code == 200


async def test_a_logout_is_known_to_the_other_processes_within_five_seconds(make_world: MakeWorld) -> None:
    here: World = await make_world()
    there: World = await make_world()
    ann = await here.person()
    elsewhere = {"Authorization": f"Bearer {ann.access}"}
    assert (await there.http.get("/v1/users/me", headers=elsewhere)).status_code == 200
    await ann.post("/v1/auth/logout")

    async def refused() -> bool:
        return (await there.http.get("/v1/users/me", headers=elsewhere)).status_code == 401

    await eventually(refused, within=5)


async def test_a_process_that_starts_later_knows_earlier_logouts(make_world: MakeWorld) -> None:
    here: World = await make_world()
    ann = await here.person()
    await ann.post("/v1/auth/logout")
    there: World = await make_world()
    await eventually(lambda: there.api.readiness.snapshot()["dependencies"]["postgres"]["state"] == "ok")
    answer = await there.http.get("/v1/users/me", headers={"Authorization": f"Bearer {ann.access}"})
    assert answer.status_code == 401


async def test_a_user_who_was_revoked_signs_in_again(world: World) -> None:
    ann = await world.person("ann")
    await world.execute(
        "INSERT INTO messaging.revocations (subject_kind, subject_id, at) SELECT 'user', id, now() FROM messaging.users"
    )
    await world.api.revocations.read()
    assert (await ann.get("/v1/users/me")).status_code == 401

    async def signed_in() -> bool:
        return (await (await world.session("ann")).get("/v1/users/me")).status_code == 200

    await eventually(signed_in, within=5, every=0.2)  # tokens carry whole seconds: the next one counts


async def test_a_disabled_user_is_refused_before_the_revocation_is_read(world: World) -> None:
    ann = await world.person("ann")
    channel = await ann.channel()
    await world.execute("UPDATE messaging.users SET disabled_at = now()")
    assert (await ann.get("/v1/users/me")).status_code == 401
    assert (await ann.get(f"/v1/channels/{channel['id']}")).status_code == 404
    assert (await ann.say(channel["id"])).status_code == 403


async def test_a_browser_keeps_its_refresh_token_in_a_strict_cookie(world: World) -> None:
    await world.register("ann")
    async with world.client(headers=BROWSER) as browser:
        login = await browser.post("/v1/auth/login", json={"username": "ann", "password": PASSWORD})
        assert login.json()["refresh_token"] is None
        cookie = login.headers["set-cookie"].lower()
        for part in ("signalink_refresh=", "httponly", "samesite=strict", "path=/v1/auth", "max-age=2592000"):
            assert part in cookie
        assert "secure" not in cookie  # loopback http
        again = await browser.post("/v1/auth/refresh")
        assert again.status_code == 200
        assert again.json()["refresh_token"] is None
        assert (await browser.post("/v1/auth/logout")).status_code == 204
        assert (await browser.post("/v1/auth/refresh")).status_code == 401


async def test_over_tls_the_cookie_is_secure_by_name_and_flag(make_world: MakeWorld) -> None:
    world: World = await make_world(edge={"api_url": "https://127.0.0.1"})
    await world.register("ann")
    login = await world.http.post("/v1/auth/login", json={"username": "ann", "password": PASSWORD})
    assert login.headers["set-cookie"].startswith("__Secure-signalink_refresh=")
    assert "Secure" in login.headers["set-cookie"]
    assert login.headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": ORIGIN}, {"X-Signalink-Client": "browser"}, {**BROWSER, "Origin": f"{ORIGIN}.evil.example"}],
)
async def test_a_cookie_without_our_header_and_an_exact_origin_counts_for_nothing(
    world: World, headers: dict[str, str]
) -> None:
    await world.register("ann")
    async with world.client() as browser:
        body = {"username": "ann", "password": PASSWORD}
        assert (await browser.post("/v1/auth/login", json=body, headers=BROWSER)).status_code == 200
        for path in ("/v1/auth/refresh", "/v1/auth/logout"):
            refused = await browser.post(path, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "origin_refused")


async def test_without_any_refresh_token_there_is_nothing_to_refresh(world: World) -> None:
    refused = await world.http.post("/v1/auth/refresh", headers=CLI)
    assert (refused.status_code, refused.json()["reason"]) == (401, "missing")


async def test_the_jwks_is_public_and_cacheable(world: World) -> None:
    answer = await world.http.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=600"
    (key,) = answer.json()["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")
    assert "d" not in key


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({}, "missing"),
        ({"Authorization": "Basic abc"}, "missing"),
        ({"Authorization": "Bearer abc"}, "malformed"),
        ({"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, "algorithm"),
    ],
)
async def test_a_missing_or_broken_token_is_401_with_its_reason(
    world: World, header: dict[str, str], reason: str
) -> None:
    refused = await world.http.get("/v1/users/me", headers=header)
    assert (refused.status_code, refused.json()["reason"]) == (401, reason)
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_a_profile_is_changed_field_by_field(world: World) -> None:
    ann = await world.person("ann")
    changed = await ann.patch("/v1/users/me", {"status": "away"})
    assert changed.json()["status"] == "away"
    assert changed.json()["display_name"] == "ann"
    assert (await ann.patch("/v1/users/me", {})).status_code == 422
    assert (await ann.patch("/v1/users/me", {"role": "admin"})).status_code == 422
    assert (await ann.get("/v1/users/me")).json() == changed.json()
