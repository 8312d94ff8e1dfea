"""The prober among the real parts, started by its service.toml alone: faults move the right figures and no others."""

import os
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from signalink_core.database import pool
from signalink_core.ids import uuid7
from signalink_core.testing import eventually
from signalink_stacks.local import control, schema
from signalink_stacks.local.engines import kafka
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.state import RunState, StateFolder
from signalink_stacks.local.testing.databases import run

pytestmark = [pytest.mark.engine("postgres", "valkey", "kafka"), pytest.mark.timeout(240)]
PACKAGES = ("signalink_api", "signalink_gateway", "signalink_prober", "signalink_relay")
WISHES = Wishes(
    instances={"gateway": 2},
    settings={"CANARY_SECONDS": "1", "SUPERVISOR_HUNG_SECONDS": "600"},  # processes stand still here, and go on
    free_ports=True,
    packages=PACKAGES,
)
GRANTS = """
DO $$ BEGIN
    GRANT USAGE ON SCHEMA messaging TO signalink_prober;
    GRANT SELECT ON messaging.events, messaging.relay_cursors, messaging.log_state TO signalink_prober;
END $$
"""


class Running:
    """The platform; `state` is read anew at each question, since processes come and go."""

    def __init__(self, folder: StateFolder) -> None:
        self.folder = folder

    @property
    def state(self) -> RunState:
        state = self.folder.read()
        assert state is not None
        return state

    def pid(self, name: str) -> int:
        pid = self.state.process(name).pid
        assert pid is not None
        return pid

    def page(self, name: str = "prober-0") -> str:
        port = self.state.process(name).ports["metrics"]
        try:
            return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5, trust_env=False).text
        except httpx.HTTPError:
            return ""

    def total(self, metric: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels; -1 without one."""
        found = self.samples(metric, **labels)
        return sum(found) if found else -1.0

    def oldest(self) -> float:
        """Unix seconds of the oldest event that waits in any shard; 0 when none does."""
        return min(filter(None, self.samples("signalink_outbox_oldest_pending_timestamp_seconds")), default=0.0)

    def samples(self, metric: str, **labels: str) -> list[float]:
        found = []
        for line in self.page().splitlines():
            match = re.fullmatch(rf"{metric}(?:{{(.*)}})? (\S+)", line)
            if match and all(f'{key}="{value}"' in (match[1] or "") for key, value in labels.items()):
                found.append(float(match[2]))
        return found

    async def sql(self, statement: str, *arguments: Any) -> list[Any]:
        settings = schema.settings(self.folder.secrets, self.state.ports["postgres"], "admin")
        connection = await pool.connect(settings)
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    kafka.setup()
    folder = StateFolder(tmp_path_factory.mktemp("prober") / "state")
    try:
        control.up(folder, WISHES, lambda state: None)
        running = Running(folder)
        run(running.sql(GRANTS))
        run(eventually(lambda: running.total("signalink_canary_rounds_total", result="ok") >= 2, within=60, every=0.2))
        yield running
    finally:
        control.down(folder)


async def test_it_shows_every_figure_that_it_promises(platform: Running) -> None:
    assert platform.total("pg_up") == platform.total("redis_up") == 1
    assert platform.total("pg_stat_activity_count", datname="signalink") > 3
    assert platform.total("redis_memory_used_bytes") > 100_000
    assert platform.page().count("signalink_outbox_pending_rows{") == 64
    ports = [platform.state.process(f"gateway-{number}").ports["http"] for number in range(2)]
    for port in ports:
        gateway = f"127.0.0.1:{port}"
        assert time.time() - platform.total("signalink_canary_last_success_timestamp_seconds", gateway=gateway) < 30
        assert platform.total("signalink_canary_roundtrip_seconds_count", gateway=gateway) >= 1
    await eventually(
        lambda: platform.total("kafka_consumergroup_lag", consumergroup="signalink-prober", topic="messages") >= 0,
        within=20,
    )


async def test_after_30_s_everything_is_found_in_kafka_and_at_every_socket(platform: Running) -> None:
    for stage in ("kafka", "socket"):
        await eventually(
            lambda stage=stage: platform.total("signalink_reconcile_checked_total", stage=stage) >= 5,
            within=60,
            every=0.3,
        )
    assert platform.total("signalink_reconcile_missing_total") == 0
    assert platform.total("signalink_reconcile_duplicate_total") == 0


async def test_the_bots_are_two_users_in_one_private_channel_and_took_nothing_from_others(platform: Running) -> None:
    (users,) = await platform.sql("SELECT count(*) AS n FROM messaging.users WHERE username LIKE 'canary-%'")
    channels = await platform.sql("SELECT kind, slug FROM messaging.channels")
    assert users["n"] == 2
    assert [row["kind"] for row in channels] == ["private"]
    url = platform.state.urls["api"]
    async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
        for number in range(5):
            body = {"username": f"person{number}", "email": f"p{number}@example.org", "password": "a long sentence 7"}
            answer = await http.post(f"{url}/v1/auth/register", json=body)
            assert answer.status_code == 201, "the bots used up what this address may register"


async def test_a_relay_that_stands_still_makes_the_outbox_grow_older(platform: Running) -> None:
    relay = platform.pid("relay-0")
    os.kill(relay, signal.SIGSTOP)
    try:
        await eventually(lambda: platform.total("signalink_outbox_pending_rows") >= 3, within=30, every=0.2)
        oldest = platform.oldest()
        assert 0 < time.time() - oldest < 60
        rows = platform.total("signalink_outbox_pending_rows")
        await eventually(lambda: platform.total("signalink_outbox_pending_rows") > rows, within=20, every=0.2)
        assert platform.oldest() == oldest
        assert platform.total("signalink_reconcile_missing_total") == 0, "late is not lost"
    finally:
        os.kill(relay, signal.SIGCONT)
    await eventually(lambda: platform.total("signalink_outbox_pending_rows") <= 1, within=30, every=0.2)


async def test_an_event_that_the_relay_passed_over_is_counted_as_missing(platform: Running) -> None:
    """A row of the log that no relay publishes: the cursor goes over it while the relay stands still."""
    (channel,) = await platform.sql("SELECT id, last_seq FROM messaging.channels LIMIT 1")
    before = platform.total("signalink_reconcile_missing_total", stage="kafka")
    relay = platform.pid("relay-0")
    os.kill(relay, signal.SIGSTOP)
    try:
        shard = (await platform.sql("SELECT messaging.shard_of($1) AS s", channel["id"]))[0]["s"]
        other = (shard + 1) % 64
        row = await platform.sql(
            "INSERT INTO messaging.events (event_id, epoch, shard, topic, aggregatetype, aggregateid, type, payload) "
            "VALUES ($1, 1, $2, 'messages', 'channel', $3, 'dev.signalink.channel.created', '{}') "
            "RETURNING epoch, xid, id",
            uuid7(), other, channel["id"],
        )  # fmt: skip
        await platform.sql(
            "UPDATE messaging.relay_cursors SET epoch = $2, xid = $3, event_id = $4, fencing_epoch = fencing_epoch + 1 "
            "WHERE shard = $1",
            other, row[0]["epoch"], row[0]["xid"], row[0]["id"],
        )  # fmt: skip
    finally:
        os.kill(relay, signal.SIGCONT)
    await eventually(
        lambda: platform.total("signalink_reconcile_missing_total", stage="kafka") == before + 1, within=60, every=0.3
    )
    assert platform.total("signalink_reconcile_missing_total", stage="socket") == 0


async def test_a_gateway_that_stands_still_fails_the_canary_there_and_only_there(platform: Running) -> None:
    still, well = (f"127.0.0.1:{platform.state.process(f'gateway-{n}').ports['http']}" for n in (0, 1))
    metric = "signalink_canary_last_success_timestamp_seconds"
    pid = platform.pid("gateway-0")
    os.kill(pid, signal.SIGSTOP)
    try:
        failed = platform.total("signalink_canary_rounds_total", result="socket")
        await eventually(
            lambda: platform.total("signalink_canary_rounds_total", result="socket") > failed, within=30, every=0.2
        )
        stopped = platform.total(metric, gateway=still)
        await eventually(lambda: platform.total(metric, gateway=well) > stopped + 3, within=30, every=0.2)
        assert platform.total(metric, gateway=still) == stopped
    finally:
        os.kill(pid, signal.SIGCONT)
    await eventually(lambda: platform.total(metric, gateway=still) > stopped, within=40, every=0.2)
    assert platform.total("signalink_reconcile_missing_total", stage="socket") == 0


async def test_a_killed_prober_comes_back_as_the_same_two_users(platform: Running) -> None:
    pid = platform.pid("prober-0")
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: platform.state.process("prober-0").pid not in {None, pid}, within=30)
    await eventually(
        lambda: platform.total("signalink_canary_rounds_total", result="ok") >= 2, within=60, every=0.2
    )  # fmt: skip
    (users,) = await platform.sql("SELECT count(*) AS n FROM messaging.users WHERE username LIKE 'canary-%'")
    (channels,) = await platform.sql("SELECT count(*) AS n FROM messaging.channels")
    assert (users["n"], channels["n"]) == (2, 1)
