"""A small service made of `signalink_core.web` alone: tokens of the api's keys, problems, CORS, limits, documents."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import APIRouter, Query

from signalink_core.auth.jwks import JwksClient
from signalink_core.auth.keys import KeyRing
from signalink_core.auth.tokens import Claims, TokenSigner, TokenVerifier
from signalink_core.clock import utc_now
from signalink_core.errors import NotFound
from signalink_core.guard.limits import Limiter
from signalink_core.guard.rules import Rules
from signalink_core.settings import EdgeSettings, LimitSettings
from signalink_core.web import application, edge, openapi, public
from signalink_core.web.catalogue import Problem, catalogue
from signalink_core.web.identity import SignedIn
from signalink_core.web.operations import Refusals
from signalink_core.web.schemas import Answer

PAGE = "http://page.example"
URL = "http://figures.example"
CATALOGUE = catalogue(Problem("not_found", 404, "There is no such figure."))
refusals = Refusals(CATALOGUE)
router = APIRouter(prefix="/v1/figures", tags=["figures"])


class Figure(Answer):
    """One figure."""

    owner: UUID
    value: int


@router.get("/{name}", responses=refusals("not_found"))
async def read(name: str, caller: SignedIn, value: Annotated[int, Query(ge=0)] = 1) -> Figure:
    """A figure."""
    if name == "missing":
        raise NotFound("There is no such figure.")
    return Figure(owner=caller.user_id, value=value)


@dataclass
class Parts:
    verifier: TokenVerifier
    limiter: Limiter
    rules: Rules
    revocations: edge.Revoked
    ended: set[UUID] = field(default_factory=set)


@dataclass
class World:
    signer: TokenSigner
    parts: Parts
    client: httpx.AsyncClient

    async def get(self, path: str, user: UUID | None = None, **headers: str) -> httpx.Response:
        """As `user`, or without a token."""
        bearer = {"authorization": f"Bearer {self.signer.access(user, uuid4())}"} if user else {}
        return await self.client.get(f"/v1/figures/{path}", headers={**bearer, **headers})


@pytest.fixture
async def world(tmp_path: Path, valkey: Any) -> AsyncIterator[World]:
    ring = KeyRing.generate(tmp_path)
    limits = LimitSettings(requests_per_second_per_user=3)
    served = httpx.MockTransport(lambda _: httpx.Response(200, json=ring.jwks()))
    async with JwksClient("http://api.example/jwks", transport=served) as keys, Limiter(valkey.settings()) as limiter:
        ended: set[UUID] = set()

        def refuses(claims: Claims) -> bool:
            return claims.sub in ended

        parts = Parts(
            TokenVerifier(keys, "signalink"), limiter, Rules.of(limits), SimpleNamespace(refuses=refuses), ended
        )
        app = application.make(
            title="Figures", version="1", description="-", routers=[router], catalogue=CATALOGUE, parts=parts
        )
        policy = public.policy(EdgeSettings(ws_origins=(PAGE,)), limits, url=URL)
        transport = httpx.ASGITransport(public.guarded(app, policy, limiter))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            yield World(TokenSigner(ring, "signalink"), parts, client)


async def test_a_token_of_the_apis_keys_is_enough(world: World) -> None:
    user = uuid4()
    answer = await world.get("one?value=7", user)
    assert (answer.status_code, answer.json()) == (200, {"owner": str(user), "value": 7})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("path", "signed_in", "status", "code"),
    [
        ("one", False, 401, "unauthorised"),
        ("missing", True, 404, "not_found"),
        ("one?value=-1", True, 422, "validation"),
        ("one/two", True, 404, "not_found"),
    ],
)
async def test_every_refusal_is_a_problem_document(
    world: World, path: str, signed_in: bool, status: int, code: str
) -> None:
    answer = await world.get(path, uuid4() if signed_in else None)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"] == answer.headers["x-request-id"]


async def test_a_revoked_user_is_refused(world: World) -> None:
    user = uuid4()
    world.parts.ended.add(user)
    answer = await world.get("one", user)
    assert (answer.status_code, answer.json()["reason"]) == (401, "revoked")


async def test_a_users_limit_is_shared_by_all_routes(world: World) -> None:
    user = uuid4()
    answers = [await world.get("one", user) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_a_token_that_expired_is_told_so(world: World) -> None:
    expired = world.signer.socket(uuid4(), uuid4(), utc_now() - timedelta(minutes=5), None)
    answer = await world.get("one", authorization=f"Bearer {expired}")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised")


async def test_only_pages_of_the_list_may_read_answers(world: World) -> None:
    ours = await world.get("one", uuid4(), origin=PAGE)
    assert ours.headers["access-control-allow-origin"] == PAGE
    theirs = await world.get("one", uuid4(), origin="http://evil.example")
    assert "access-control-allow-origin" not in theirs.headers
    assert theirs.headers["vary"] == "Origin"


async def test_a_preflight_of_our_page_is_answered(world: World) -> None:
    asked = {"origin": PAGE, "access-control-request-method": "GET", "access-control-request-headers": "authorization"}
    answer = await world.client.options("/v1/figures/one", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE


async def test_another_host_name_is_not_served(world: World) -> None:
    answer = await world.get("one", uuid4(), host="elsewhere.example")
    assert (answer.status_code, answer.json()["code"]) == (400, "host_refused")


def test_the_document_names_routes_problems_and_the_token() -> None:
    app = application.make(
        title="Figures", version="1", description="-", routers=[router], catalogue=CATALOGUE, parts=None
    )
    operation = openapi.document(app)["paths"]["/v1/figures/{name}"]["get"]
    assert operation["operationId"] == "figures_read"
    assert operation["security"] == [{"access_token": []}]
    assert "`not_found`" in operation["responses"]["404"]["description"]
    assert "| `not_found` | 404 | There is no such figure. |" in openapi.problem_rows(CATALOGUE)
