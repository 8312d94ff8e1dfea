"""What the operator does with Channels when a world around it fails: the api, its token, the Kubernetes API, itself."""

import asyncio
from pathlib import Path

import httpx
import pytest
from operatorworld import Api, renew, working

from signalink_core.errors import QueueFull
from signalink_core.telemetry import metrics
from signalink_core.telemetry import names as metric_names
from signalink_core.testing import eventually
from signalink_operator import app, settings
from signalink_operator.adapters.channels import ApiChannels
from signalink_operator.model import Key
from signalink_operator.testing import AdminApi, Cluster, MemoryTopics

DELETE = {"deletionPolicy": "Delete"}


@pytest.fixture
def many(emulated: Api) -> Api:
    return emulated.of("Channel")


async def test_c10_an_api_that_is_down_is_unknown_with_a_steady_time_and_heals_by_itself(
    many: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    await admin.stop()
    async with working(many, memory, channels=channels):
        await many.apply("general")
        first = await many.until("general", "Unknown", "ApiUnavailable")
        assert first["message"] == "The api does not answer. It is tried again by itself."
        await admin.start()
        await many.until("general", "True")


async def test_c10_a_token_that_is_refused_is_said_and_a_new_one_heals_at_the_next_pass(
    many: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels, token_file: Path
) -> None:
    admin.tokens = {}
    async with working(many, memory, channels=channels) as world:
        await many.apply("general")
        told = await many.until("general", "False", "ApiUnauthorized")
        assert "SIGNALINK_OPERATOR_API_TOKEN_FILE" in told["message"]
        assert admin.refused == 2
        admin.tokens = {"new": "channels:admin"}
        renew(token_file, "new")
        await world.full_pass()
        await many.until("general", "True")


async def test_a_deletion_that_the_api_does_not_answer_is_blocked_once_and_goes_on_when_it_can(
    many: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    async with working(many, memory, channels=channels):
        for name in ("goes", "released", "kept"):
            await many.apply(name, DELETE if name != "kept" else {})
            await many.until(name, "True")
        admin.fail(503)
        for name in ("goes", "released", "kept"):
            await many.delete(name)
        await many.gone("kept")
        told = await many.until("goes", "True", "ApiUnavailable", "DeletionBlocked")
        assert "keep the channel" in told["message"]
        tried = len(admin.calls)
        await eventually(lambda: len(admin.calls) > tried + 1)
        assert len([item for item in await many.events("goes") if item["reason"] == "ApiUnavailable"]) == 1
        await many.annotate("released", force_release="true")
        await many.gone("released")
        admin.heal()
        await many.gone("goes")
    assert set(admin.platform.channels) == {"released", "kept"}


async def test_t09_nothing_is_asked_of_the_api_while_the_finalizer_cannot_be_placed(
    cluster: Cluster, many: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    cluster.fail("PATCH", "/channels/general$", 500)
    async with working(many, memory, channels=channels):
        await many.apply("general", DELETE)
        await eventually(lambda: len([w for w in cluster.writes if w[1].endswith("/general")]) >= 2)
        assert admin.calls == []
        cluster.heal()
        await many.until("general", "True")


async def test_a_topic_resource_that_cannot_be_made_for_now_is_made_later_and_the_channel_at_once(
    cluster: Cluster, emulated: Api, many: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    cluster.fail("POST", "/topics$", 503, times=2)
    async with working(many, memory, channels=channels):
        await many.apply("general", {"topic": {}})
        await many.until("general", "True")
    assert admin.platform.channels["general"].shown["event_topic"] == "general"


@pytest.mark.parametrize(("status", "reason"), [(422, "InvalidTopic"), (403, "KubernetesRefused")])
async def test_a_topic_resource_that_is_refused_is_said_in_the_words_of_the_api_server(
    cluster: Cluster, many: Api, memory: MemoryTopics, channels: ApiChannels, status: int, reason: str
) -> None:
    cluster.fail("POST", "/topics$", status)
    async with working(many, memory, channels=channels):
        await many.apply("general", {"topic": {}})
        told = await many.until("general", "False", reason, "TopicReady")
        assert "a test wants this to fail" in told["message"]


async def test_a_topic_resource_that_is_there_and_was_not_seen_yet_is_no_conflict_when_it_is_its_own(
    cluster: Cluster, emulated: Api, many: Api, memory: MemoryTopics, channels: ApiChannels
) -> None:
    async with working(many, memory, channels=channels):
        await many.apply("general", {"topic": {}})
        await many.until("general", "True")
    body = cluster.read("Topic", "default", "general")
    assert body is not None
    async with working(many, memory, channels=channels) as world:
        await emulated.apply("later")  # when it is Ready, the watch has brought what was there before
        await emulated.until("later", "True")
        world.operator.store.forget(Key("Topic", "default", "general"))
        writes = len(cluster.writes)
        await many.edit("general", {"spec": {"displayName": "Other"}})
        await many.until("general", "True")
    tried = [path for method, path in cluster.writes[writes:] if method == "POST" and path.endswith("/topics")]
    assert len(tried) == 1
    assert cluster.read("Topic", "default", "general") == body
    assert cluster.events("general") == []


async def test_t21_one_call_for_each_channel_of_a_batch_and_one_pass_of_a_key_at_a_time(
    many: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    admin.hold = asyncio.Event()
    async with working(many, memory, channels=channels, batch_wait_ms=50):
        for n in range(5):
            await many.apply(f"c-{n}")
        await eventually(lambda: len(admin.calls) == 5)
        await many.edit("c-0", {"spec": {"displayName": "Other"}})
        await many.apply("late")
        assert sorted(admin.calls) == [("PUT", f"c-{n}") for n in range(5)]
        admin.hold.set()
        await many.until("c-0", "True")
        await many.until("late", "True")
    assert sorted(admin.calls) == sorted([("PUT", "c-0"), ("PUT", "late"), *(("PUT", f"c-{n}") for n in range(5))])
    assert admin.platform.channels["c-0"].shown["display_name"] == "Other"


async def test_t22_a_full_queue_ends_the_process(
    many: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    admin.hold = asyncio.Event()
    async with working(many, memory, channels=channels, queue_keys=2, batch_keys=1) as world:
        for n in range(8):
            await many.apply(f"c-{n}")
        error = await asyncio.wait_for(world.operator.intake.failed, 20)
        admin.hold.set()
    assert isinstance(error, QueueFull)


async def test_t22_a_batch_that_stands_makes_the_process_not_live(
    many: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    admin.hold = asyncio.Event()
    async with working(many, memory, channels=channels, stalled_seconds=0.05) as world:
        await many.apply("general")

        async def standing() -> bool:
            return await health(world.operator) == 503

        await eventually(standing)
        admin.hold.set()
        await many.until("general", "True")


async def health(operator: app.Operator) -> int:
    async with httpx.AsyncClient(timeout=5) as http:
        return (await http.get(f"http://127.0.0.1:{operator.port}/healthz")).status_code


async def test_a_watch_of_channels_that_brings_nothing_back_makes_the_process_not_live(
    cluster: Cluster, many: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    echo = metric_names.OPERATOR_WATCH_ECHO_TIMESTAMP_SECONDS
    async with working(many, memory, channels=channels, canary_seconds=0.05, stale_seconds=0.6) as world:
        await eventually(lambda: cluster.read("Channel", "default", "signalink-operator-canary"))
        await eventually(lambda: metrics.value(echo, kind="Channel") > 0)
        assert await health(world.operator) == 200
        await cluster.mute()
        await eventually(lambda: world.operator.canary.silent_kind())
        assert "brought nothing back" in str(world.operator.unwell())
    assert admin.calls == []


async def test_t23_every_metric_moves(many: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels) -> None:
    drift = metrics.value(metric_names.OPERATOR_DRIFT_TOTAL, kind="Channel")
    async with working(many, memory, channels=channels) as world:
        await many.apply("general", DELETE)
        await many.until("general", "True")
        admin.platform.channels["general"].shown["display_name"] = "by hand"
        await world.full_pass()
        assert metrics.value(metric_names.OPERATOR_DRIFT_TOTAL, kind="Channel") == drift + 1
        assert metrics.value(metric_names.OPERATOR_RESOURCES, kind="Channel", ready="true") == 1
        assert metrics.value(metric_names.OPERATOR_RESOURCES, kind="Topic", ready="true") == 0
        await many.annotate("general", paused="true")
        await many.until("general", "Unknown", "ReconciliationPaused")
        held = {"kind": "Channel", "ready": "held"}
        await eventually(lambda: metrics.value(metric_names.OPERATOR_RESOURCES, **held) == 1)
        admin.fail(503)
        await many.delete("general")
        await many.until("general", "True", "ApiUnavailable", "DeletionBlocked")
        await eventually(lambda: metrics.value(metric_names.OPERATOR_DELETION_BLOCKED) == 1)
        async with httpx.AsyncClient(timeout=5) as http:
            page = (await http.get(f"http://127.0.0.1:{world.operator.port}/metrics")).text
        admin.heal()
        await many.gone("general")
    rows = dict(line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("signalink_operator_"))
    for row in (
        'signalink_operator_reconcile_seconds_count{kind="Channel",result="changed"}',
        'signalink_operator_reconcile_seconds_count{kind="Channel",result="blocked"}',
        'signalink_operator_admin_call_seconds_count{call="put_channel",result="ok"}',
        'signalink_operator_admin_call_seconds_count{call="delete_channel",result="failed"}',
    ):
        assert float(rows[row]) > 0, row


async def test_t25_a_crash_before_the_status_leaves_one_event_and_one_channel(
    cluster: Cluster, many: Api, memory: MemoryTopics, admin: AdminApi, channels: ApiChannels
) -> None:
    cluster.fail("PATCH", "/channels/general/status", 503)
    async with working(many, memory, channels=channels):
        await many.apply("general", {"members": [{"user": "nobody"}]})
        await eventually(lambda: len(cluster.events("general")) == 1)
        made = admin.platform.channels["general"].id
    async with working(many, memory, channels=channels):
        tried = len(admin.calls)
        await eventually(lambda: len(admin.calls) > tried)
        cluster.heal()
        await many.until("general", "False", "UnknownUsers", "MembersResolved")
    assert len(cluster.events("general")) == 1
    assert (admin.platform.channels["general"].id, admin.platform.writes) == (made, 1)


@pytest.mark.parametrize("given", [{}, {"api_url": "http://127.0.0.1:1"}])
async def test_without_the_api_only_topics_are_served_and_one_line_says_so(
    many: Api, emulated: Api, memory: MemoryTopics, capsys: pytest.CaptureFixture[str], given: dict[str, str]
) -> None:
    found = app._channels(settings.Settings(None, None, None, settings.ApiSettings(**given)))  # type: ignore[arg-type]
    assert found is None
    said = capsys.readouterr().out
    assert said.count("channels_not_served") == 1
    assert ("SIGNALINK_API_URL" in said, "SIGNALINK_OPERATOR_API_TOKEN_FILE" in said) == (not given, True)
    async with working(many, memory):
        await many.apply("general")
        await emulated.apply("orders")
        await emulated.until("orders", "True")
        assert (await many.condition("general")) == {}
