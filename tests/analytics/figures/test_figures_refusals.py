"""Whatever is asked wrongly is a problem document with a stable code; nothing asked makes the service fail."""

from typing import Any

import httpx
import pytest
from apiworld import ORIGIN, Person
from figureworld import HOUR, NOW, URL, FigureWorld
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalink_analytics import routes
from signalink_analytics.problems import CATALOGUE
from signalink_core.ids import uuid7

PATHS = sorted(route.path for route in routes.routes())
RANGES = ("/summary", "/messages", "/channels", "/users/me", "/presence")


def checked(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (body["status"], body["instance"]) == (status, answer.headers["x-request-id"])
    assert CATALOGUE[code].status == status
    return body


async def test_a_range_that_cannot_be_answered_has_a_code_of_its_own(world: FigureWorld) -> None:
    ann = await world.api.ready_made()

    async def ask(code: str, **query: Any) -> dict[str, Any]:
        refused = [checked(await world.get(ann, path, **query), 422, code) for path in RANGES]
        assert all(found["next_step"] for found in refused)
        return refused[0]

    await ask("range_reversed", start=HOUR, end=HOUR)
    assert (await ask("range_in_future", start="2026-03-10T12:34:57Z"))["now"] == "2026-03-10T12:34:56.789Z"
    too_long = await ask("range_too_long", interval="1m", start="2026-03-09T00:00:00Z")
    assert (too_long["points"], too_long["most_points"]) == (2195, 1500)
    assert "interval=1h" in too_long["next_step"]
    assert "kept_from" in await ask(
        "range_not_kept", interval="1m", start="2020-01-01T00:00:00Z", end="2020-01-01T01:00:00Z"
    )


WRONG: list[tuple[dict[str, str], str]] = [
    ({"since": "2026-03-10T12:00:00Z"}, "query.since"),
    ({"interval": "5m"}, "query.interval"),
    ({"start": "yesterday"}, "query.from"),
    ({"start": "2026-03-10T12:00:00"}, "query.from"),
    ({"start": "1773144000"}, "query.from"),
    ({"end": ""}, "query.to"),
    ({"end": "2026-03-10T12:00:00 01:00"}, "query.to"),
    ({"start": "2026-13-40T99:00:00Z"}, "query.from"),
]


async def test_a_parameter_that_is_wrong_or_unknown_is_named(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    for path in RANGES:
        for query, field in WRONG:
            found = checked(await world.get(ann, path, **query), 422, "validation")
            assert [error["field"] for error in found["errors"]] == [field], path


async def test_a_plus_that_was_lost_on_the_way_is_explained(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    headers = {"Authorization": f"Bearer {ann.access}"}
    lost = await world.http.get("/v1/analytics/summary?from=2026-03-10T12:00:00+01:00", headers=headers)
    assert "%2B" in checked(lost, 422, "validation")["errors"][0]["message"]
    kept = await world.http.get("/v1/analytics/summary?from=2026-03-10T12:00:00%2B01:00", headers=headers)
    assert kept.json()["range"]["from"] == "2026-03-10T11:00:00.000Z"


async def test_routes_without_parameters_take_none(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    for path in ("/active-users", "/freshness"):
        checked(await world.get(ann, path, interval="1h"), 422, "validation")


async def test_ids_that_are_none(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    for path in ("/channels/x", "/users/x", "/users/ME", "/channels/%00"):
        checked(await world.get(ann, path), 422, "validation")
    for query in ({"user": "x"}, {"user": "everybody"}):
        checked(await world.get(ann, "/presence", **query), 422, "validation")
    checked(await world.get(ann, "/messages", channel="1"), 422, "validation")
    checked(await world.get(ann, "/channels", by="senders"), 422, "validation")
    checked(await world.get(ann, f"/users/{uuid7()}"), 404, "not_found")


async def test_a_page_has_a_bound(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    for limit in ("0", "201", "-1", "x", "1e3"):
        checked(await world.get(ann, "/channels", limit=limit), 422, "validation")


async def test_a_cursor_is_good_for_its_own_question_and_caller_alone(world: FigureWorld) -> None:
    ann, bob = await world.api.ready_made(role="admin"), await world.api.ready_made(role="admin")
    for _ in range(3):
        await world.count(HOUR, user=ann.id, channel=str(uuid7()), messages=1, reads=1)
    cursor = (await world.ok(ann, "/channels", limit=1))["next"]
    assert (await world.get(ann, "/channels", cursor=cursor)).status_code == 200
    wrong: list[tuple[Person, dict[str, Any]]] = [
        (bob, {"cursor": cursor}),
        (ann, {"cursor": cursor, "by": "reads"}),
        (ann, {"cursor": cursor, "interval": "1d"}),
        (ann, {"cursor": cursor, "start": HOUR}),
        (ann, {"cursor": cursor[:-2]}),
        (ann, {"cursor": "AAAA"}),
    ]
    for person, query in wrong:
        checked(await world.get(person, "/channels", **query), 422, "invalid_cursor")


async def test_only_reading_is_known(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    for path in PATHS:
        headers = {"Authorization": f"Bearer {ann.access}"}
        refused = await world.http.post(
            path.replace("{channel_id}", ann.id).replace("{user_id}", ann.id), headers=headers
        )
        checked(refused, 405, "method_not_allowed")
        assert refused.headers["allow"] == "GET"


async def test_nothing_else_is_served(world: FigureWorld) -> None:
    for path in ("/", "/v1", "/docs", "/openapi.json", "/metrics", "/healthz", "/readyz", "/faults", "/v1/analytics/"):
        checked(await world.http.get(path), 404, "not_found")


async def test_a_users_limit_is_shared_by_all_routes(make_world: Any) -> None:
    world: FigureWorld = await make_world(limits={"requests_per_second_per_user": 3})
    ann = await world.api.ready_made()
    answers = [await world.get(ann, path) for path in ("/summary", "/messages", "/channels", "/freshness", "/presence")]
    refused = checked(answers[-1], 429, "rate_limited")
    assert (refused["scope"], int(answers[-1].headers["retry-after"]) >= 1) == ("requests_user", True)


async def test_questions_have_a_limit_of_their_own(make_world: Any) -> None:
    world: FigureWorld = await make_world(limits={"figures_per_second_per_user": 2})
    ann, bob = await world.api.ready_made(), await world.api.ready_made()
    answers = [await world.get(ann, path) for path in ("/summary", "/messages", "/channels", "/freshness")]
    assert checked(answers[-1], 429, "rate_limited")["scope"] == "figures_user"
    assert (await world.get(bob, "/summary")).status_code == 200


async def test_only_pages_of_the_list_may_read_answers(world: FigureWorld) -> None:
    ann = await world.api.ready_made()
    headers = {"Authorization": f"Bearer {ann.access}"}
    ours = await world.http.get("/v1/analytics/freshness", headers={**headers, "Origin": ORIGIN})
    assert ours.headers["access-control-allow-origin"] == ORIGIN
    theirs = await world.http.get("/v1/analytics/freshness", headers={**headers, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in theirs.headers
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    assert (await world.http.options("/v1/analytics/freshness", headers=asked)).status_code == 200
    elsewhere = await world.http.get("/v1/analytics/freshness", headers={**headers, "Host": "evil.example"})
    checked(elsewhere, 400, "host_refused")
    assert ours.headers["cache-control"] == "no-store"


@pytest.fixture
async def asked(world: FigureWorld) -> tuple[FigureWorld, Person, str]:
    admin = await world.api.ready_made(role="admin")
    channel = (await admin.channel())["id"]
    await world.count(NOW, user=admin.id, channel=channel, messages=1, lengths=[1])
    await world.presence(admin.id, (HOUR, "online"))
    await world.watermark(NOW)
    return world, admin, channel


NAMES = ("interval", "from", "to", "channel", "by", "limit", "cursor", "user", "x")
VALUES = st.one_of(
    st.sampled_from(
        ["1m", "1h", "1d", "me", "all", "messages", "0", "-1", "9" * 40, "null", "NaN", "%00", "' OR 1=1 --"]
    ),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}+14:00"),
    st.uuids().map(str),
    st.text(max_size=40),
)


@given(query=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4), route=st.integers(0, 7))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_question_makes_the_service_fail(
    asked: tuple[FigureWorld, Person, str], query: dict[str, str], route: int
) -> None:
    world, admin, channel = asked
    path = PATHS[route].replace("{channel_id}", channel).replace("{user_id}", admin.id)
    url = httpx.URL(URL + path, params={name: value.encode("utf-8", "replace") for name, value in query.items()})  # type: ignore[arg-type, dict-item]
    answer = await world.http.get(url, headers={"Authorization": f"Bearer {admin.access}"})
    assert answer.status_code in {200, 403, 404, 422}, answer.text
    if answer.status_code != 200:
        checked(answer, answer.status_code, answer.json()["code"])
