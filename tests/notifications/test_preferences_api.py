"""Preferences over HTTP: defaults, changes, what is refused, whose they are, and that they take effect."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from desk import PAGE, Desk, opened, settings_of, with_limits
from talking import Talk

from signalink_core.events.types import NotificationChannel, NotificationKind
from signalink_core.ids import uuid7
from signalink_core.testing import eventually
from signalink_notifications import public
from signalink_notifications.planner.rules import CHANNELS, KINDS
from signalink_stacks.local.testing import Database, ValkeyServer

PATH = "/v1/preferences"


async def test_who_never_changed_anything_has_the_defaults(desk: Desk) -> None:
    answer = await desk.get(uuid7(), PATH)
    choices = answer.json().pop("choices")
    assert answer.status_code == 200
    assert {key: value for key, value in answer.json().items() if key != "choices"} == {
        "time_zone": "UTC",
        "quiet_hours": None,
        "digest_minutes": None,
        "default_digest_minutes": 15,
        "keywords": [],
        "email": True,
        "webhook": None,
    }
    assert [(c["kind"], c["channel"], c["enabled"]) for c in choices] == [(k, c, True) for k in KINDS for c in CHANNELS]


async def test_a_patch_changes_what_it_names_and_nothing_else(desk: Desk) -> None:
    user = uuid7()
    first = {"time_zone": "Europe/Berlin", "quiet_hours": {"begin": "22:00", "end": "07:00"}, "digest_minutes": 30}
    answer = (await desk.patch(user, first | {"keywords": ["Release", "release", " code RED "]})).json()
    assert {key: answer[key] for key in first} == first
    assert answer["keywords"] == ["release", "code red"]
    assert (await desk.patch(user, {})).json() == answer
    changed = (await desk.patch(user, {"quiet_hours": None, "digest_minutes": None, "email": False})).json()
    assert changed == answer | {"quiet_hours": None, "digest_minutes": None, "email": False}
    assert (await desk.get(user, PATH)).json() == changed
    assert (await desk.patch(user, {"email": True, "keywords": []})).json()["email"] is True


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"time_zone": "Europe/Atlantis"}, "body.time_zone"),
        ({"time_zone": None}, "body.time_zone"),
        ({"time_zone": "../../etc/passwd"}, "body.time_zone"),
        ({"quiet_hours": {"begin": "22:00"}}, "body.quiet_hours.end"),
        ({"quiet_hours": {"begin": "25:00", "end": "07:00"}}, "body.quiet_hours.begin"),
        ({"quiet_hours": {"begin": "07:00:30", "end": "07:00"}}, "body.quiet_hours.begin"),
        ({"quiet_hours": {"begin": "07:00", "end": "07:00"}}, "body.quiet_hours"),
        ({"digest_minutes": 1441}, "body.digest_minutes"),
        ({"digest_minutes": -1}, "body.digest_minutes"),
        ({"keywords": ["x"]}, "body.keywords.0"),
        ({"keywords": ["a\u202eb"]}, "body.keywords.0"),
        ({"keywords": ["a\x00b"]}, "body.keywords.0"),
        ({"keywords": ["w" * 51]}, "body.keywords.0"),
        ({"keywords": [f"w{n}" for n in range(51)]}, "body.keywords"),
        ({"user_id": str(uuid7())}, "body.user_id"),
        ({"webhook_url": "https://example.org"}, "body.webhook_url"),
    ],
)
async def test_what_makes_no_sense_is_refused_field_by_field(desk: Desk, body: Any, field: str) -> None:
    answer = await desk.patch(uuid7(), body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_choice_is_one_cell_and_may_be_repeated(desk: Desk) -> None:
    user = uuid7()
    for enabled in (False, False, True, False):
        answer = (await desk.put(user, f"{PATH}/choices/mention/email", {"enabled": enabled})).json()
    off = [(c["kind"], c["channel"]) for c in answer["choices"] if not c["enabled"]]
    assert off == [("mention", "email")]
    assert (await desk.put(user, f"{PATH}/choices/mention/pigeon", {"enabled": True})).status_code == 422


async def test_a_webhook_shows_its_secret_once_and_each_address_has_another(desk: Desk) -> None:
    user = uuid7()
    first = (await desk.put(user, f"{PATH}/webhook", {"url": "https://example.org/hook?a=b"})).json()
    second = (await desk.put(user, f"{PATH}/webhook", {"url": "https://example.org:8443/"})).json()
    assert len(first["secret"]) == len(second["secret"]) == 43
    assert first["secret"] != second["secret"]
    assert (await desk.get(user, PATH)).json()["webhook"] == {"url": second["url"], "set_at": second["set_at"]}
    for _ in range(2):
        assert (await desk.delete(user, f"{PATH}/webhook")).status_code == 204
    assert (await desk.get(user, PATH)).json()["webhook"] is None


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "https://example.org:80",
        "https://example.org:99999",
        "https://user:word@example.org",
        "https://example.org/#part",
        "https:///path",
        "ftp://example.org",
        "https://exa mple.org",
        "https://example.org/" + "x" * 2000,
        "",
    ],
)
async def test_an_address_that_cannot_be_posted_to_is_refused_at_once(desk: Desk, url: str) -> None:
    answer = await desk.put(uuid7(), f"{PATH}/webhook", {"url": url})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.url")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://inside.example/hook", "address"),
        ("https://127.0.0.1/hook", "address"),
        ("https://localhost:8443/", "address"),
        ("https://[::1]/", "address"),
        ("http://127.0.0.1:9000/", "scheme"),
        ("https://127.0.0.1:9000/", "port"),
        ("https://169.254.169.254/latest/meta-data", "address"),
        ("https://nowhere.invalid/", "name"),
    ],
)
async def test_an_address_that_leads_inside_or_nowhere_is_refused_at_once(desk: Desk, url: str, reason: str) -> None:
    user = uuid7()
    answer = await desk.put(user, f"{PATH}/webhook", {"url": url})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["reason"]) == (400, "url_refused", reason)
    assert (await desk.get(user, PATH)).json()["webhook"] is None


async def test_an_address_whose_name_cannot_be_asked_for_now_may_be_given_again_later(desk: Desk) -> None:
    answer = await desk.put(uuid7(), f"{PATH}/webhook", {"url": "https://later.example/"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_two_first_changes_at_once_are_both_kept(desk: Desk) -> None:
    user = uuid7()
    await asyncio.gather(
        desk.patch(user, {"keywords": ["fire"]}),
        desk.patch(user, {"digest_minutes": 5}),
        desk.patch(user, {"time_zone": "Asia/Tokyo"}),
    )
    answer = (await desk.get(user, PATH)).json()
    assert (answer["keywords"], answer["digest_minutes"], answer["time_zone"]) == (["fire"], 5, "Asia/Tokyo")


async def test_mutes_are_of_ones_own_channels_for_good_or_for_a_time(desk: Desk, talk: Talk) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    channel, secret = await talk.channel(ann, bob), await talk.channel(ann, kind="private")
    path = f"/v1/mutes/{channel}"
    muted = (await desk.put(bob, path, {})).json()
    assert (muted["channel_id"], muted["until"]) == (str(channel), None)
    until = "2100-01-02T03:04:05.678Z"
    assert (await desk.put(bob, path, {"until": until})).json()["until"] == until
    assert [item["until"] for item in (await desk.get(bob, "/v1/mutes")).json()["items"]] == [until]
    assert (await desk.get(ann, "/v1/mutes")).json()["items"] == []
    for _ in range(2):
        assert (await desk.delete(bob, path)).status_code == 204
    assert (await desk.get(bob, "/v1/mutes")).json()["items"] == []
    for unseen in (secret, uuid7()):
        assert (await desk.put(bob, f"/v1/mutes/{unseen}", {})).status_code == 404


@pytest.mark.parametrize("until", ["2001-01-01T00:00:00Z", "2100-01-01T00:00:00", "soon", 7])
async def test_a_mute_ends_in_the_future_or_never(desk: Desk, talk: Talk, until: Any) -> None:
    ann = await talk.user("ann")
    answer = await desk.put(ann, f"/v1/mutes/{await talk.channel(ann)}", {"until": until})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.until")


async def test_a_mute_whose_time_is_over_is_none(desk: Desk, talk: Talk) -> None:
    ann = await talk.user("ann")
    await talk.admin.execute(
        "INSERT INTO notifications.mutes (user_id, channel_id, until) VALUES ($1, $2, now())", ann, uuid7()
    )
    assert (await desk.get(ann, "/v1/mutes")).json()["items"] == []


def paths() -> list[tuple[str, str]]:
    """Every route that needs a login."""
    values = {"kind": "mention", "channel": "email", "channel_id": str(uuid4()), "notification_id": str(uuid4())}
    return [
        (method, route.path.format(**values))
        for router in public.ROUTERS
        for route in router.routes
        for method in sorted(route.methods or ())  # type: ignore[attr-defined]
        if "unsubscribe" not in route.path  # type: ignore[attr-defined]
    ]


async def test_no_route_answers_without_a_login_or_after_it_ended(desk: Desk, talk: Talk) -> None:
    user, session = uuid7(), uuid7()
    await talk.admin.execute(
        "INSERT INTO messaging.revocations (subject_kind, subject_id) VALUES ('session', $1)", session
    )

    async def revoked() -> bool:
        return (await desk.call(user, "GET", PATH, session=session)).status_code == 401

    await eventually(revoked, within=5)
    assert len(paths()) >= 9
    for method, path in paths():
        assert (await desk.call(None, method, path)).json()["code"] == "unauthorised"
        answer = await desk.call(user, method, path, session=session)
        assert (answer.status_code, answer.json()["reason"]) == (401, "revoked"), path


async def test_a_user_has_a_limit_over_all_routes(noted: Database, valkey: ValkeyServer, tmp_path: Path) -> None:
    settings = with_limits(settings_of(tmp_path, noted, valkey), requests_per_second_per_user=2)
    async with opened(settings, tmp_path) as desk:
        user = uuid7()
        answers = [await desk.get(user, PATH), await desk.get(user, "/v1/mutes"), await desk.get(user, PATH)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_only_the_page_may_use_it_from_a_browser(desk: Desk) -> None:
    for origin, allowed in ((PAGE, PAGE), ("http://evil.example", None)):
        answer = await desk.call(uuid7(), "GET", PATH, headers={"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == allowed
    refused = await desk.call(uuid7(), "PATCH", PATH, json={}, headers={"Origin": "http://evil.example"})
    assert (refused.status_code, refused.json()["code"]) == (403, "origin_refused")


async def test_the_words_of_the_api_are_those_of_the_events() -> None:
    document: Any = public.create_app().openapi()["components"]["schemas"]["Choice"]["properties"]
    assert document["kind"]["enum"] == list(NotificationKind.__args__)  # type: ignore[attr-defined]
    assert document["channel"]["enum"] == list(NotificationChannel.__args__)  # type: ignore[attr-defined]
