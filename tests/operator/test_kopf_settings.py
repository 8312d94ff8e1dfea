"""kopf's known traps, each asserted on the objects as they are built; and that `apply` never imports it."""

import logging
import subprocess
import sys

import pytest
from operatorworld import Api, working

from signalink_operator.handlers import watch
from signalink_operator.testing import MemoryTopics


def test_a_dead_stream_is_noticed() -> None:
    settings = watch.settings()
    assert settings.watching.inactivity_timeout == 70
    assert settings.watching.connect_timeout == 10
    assert settings.watching.server_timeout == 600
    assert isinstance(settings.watching.server_timeout, int)
    assert settings.watching.chunk_size == 500
    assert settings.networking.request_timeout == 60


def test_a_start_with_thousands_of_resources_keeps_no_task_for_each() -> None:
    assert watch.settings().queueing.idle_timeout <= 0.5


def test_no_stranger_pauses_the_operator() -> None:
    assert watch.settings().peering.standalone


def test_rights_in_the_whole_cluster_are_needed_only_where_namespaces_are_looked_for() -> None:
    assert watch.settings(["team-a", "team-b"]).scanning.disabled
    assert not watch.settings(["team-*"]).scanning.disabled
    assert not watch.settings().scanning.disabled


def test_kopf_posts_no_events_of_its_own() -> None:
    assert not watch.settings().posting.enabled
    assert not watch.settings().posting.loggers


async def test_an_event_of_an_object_is_no_line_in_the_log(emulated: Api, memory: MemoryTopics) -> None:
    logging.getLogger(watch.NOISY).setLevel(logging.NOTSET)
    async with working(emulated, memory):
        assert not logging.getLogger(watch.NOISY).isEnabledFor(logging.INFO)
        assert logging.getLogger(watch.NOISY).isEnabledFor(logging.WARNING)


def test_only_the_watch_is_asked_for_so_that_kopf_writes_to_no_object() -> None:
    built = watch.registry(None, None, ["Topic"])  # type: ignore[arg-type]  # nothing is called
    assert len(built._watching.get_all_handlers()) == 1
    for kind in (built._changing, built._spawning, built._indexing, built._webhooks):
        assert list(kind.get_all_handlers()) == []


def test_apply_imports_nothing_that_talks_to_kubernetes() -> None:
    code = (
        "import sys\nfrom signalink_operator import __main__ as command\n"
        "assert command.main(['apply', '-f', 'gone.yaml']) == 64\n"
        "print(sorted({'kopf', 'aiohttp'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.strip() == "[]", ran.stderr


async def test_a_uid_without_a_name_is_no_hindrance(
    api: Api, memory: MemoryTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an image the process has a number and no line in /etc/passwd."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr("getpass.getuser", nameless)
    async with working(api, memory):
        await api.apply("orders", {"partitions": 1})
        await api.until("orders", "True")
