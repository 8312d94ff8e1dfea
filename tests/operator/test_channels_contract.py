"""What the operator may rely on about the api's admin endpoint, through its own adapter."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from channelworld import MINE, document
from operatorworld import renew

from signalink_core.errors import ConfigurationError
from signalink_operator.adapters import channels as adapter
from signalink_operator.adapters.channels import ApiChannels
from signalink_operator.model import Failure, ObservedChannel, Removal
from signalink_operator.testing import AdminApi


async def put(channels: ApiChannels, slug: str = "general", **given: Any) -> ObservedChannel:
    found = (await channels.put({slug: document(**given)}))[slug]
    assert isinstance(found, ObservedChannel), found
    return found


async def refused(channels: ApiChannels, slug: str = "general", **given: Any) -> Failure:
    found = (await channels.put({slug: document(**given)}))[slug]
    assert isinstance(found, Failure), found
    return found


async def test_c10_a_token_that_is_refused_is_read_again_once(
    admin: AdminApi, channels: ApiChannels, token_file: Path
) -> None:
    admin.tokens = {"new": "channels:admin"}
    renew(token_file, "new")
    await put(channels)
    assert admin.refused == 1
    await put(channels)
    assert admin.refused == 1


async def test_c10_a_token_that_stays_refused_is_tried_twice_and_no_more(
    admin: AdminApi, channels: ApiChannels
) -> None:
    admin.tokens = {}
    failure = await refused(channels)
    assert (failure.reason, admin.refused, admin.calls) == ("ApiUnauthorized", 2, [])


async def test_c10_a_token_whose_file_went_is_said_without_the_token(
    admin: AdminApi, channels: ApiChannels, token_file: Path
) -> None:
    admin.tokens = {}
    await asyncio.to_thread(token_file.unlink)
    failure = await refused(channels)
    assert (failure.reason, "good" in failure.message) == ("ApiUnauthorized", False)


async def test_c10_a_token_without_the_scope_is_another_reason(admin: AdminApi, channels: ApiChannels) -> None:
    admin.tokens = {"good": "other:scope"}
    assert (await refused(channels)).reason == "ApiForbidden"


@pytest.mark.parametrize("text", ["two words", "caf\u00e9", "a\x01b"])
async def test_c10_a_file_that_holds_no_token_ends_the_start_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    renew(path, text)
    with pytest.raises(ConfigurationError) as error:
        await ApiChannels("http://127.0.0.1:1", path).start()
    assert text not in str(error.value)


async def test_c10_the_token_is_in_no_log_line_however_much_is_logged(
    admin: AdminApi, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "eyJhbGciOiJFZERTQSJ9.not-to-be-seen"
    renew(tmp_path / "t", secret)
    admin.tokens = {secret: "channels:admin"}
    with caplog.at_level(logging.DEBUG):
        async with ApiChannels(admin.url, tmp_path / "t") as channels:
            await put(channels)
            admin.tokens = {}
            await refused(channels)
    assert caplog.records
    assert secret not in caplog.text + "".join(capsys.readouterr())


async def test_c10_an_api_that_is_down_costs_a_batch_one_timeout_and_not_one_for_each(
    admin: AdminApi, token_file: Path
) -> None:
    admin.hold = asyncio.Event()
    began = asyncio.get_running_loop().time()
    async with ApiChannels(admin.url, token_file, in_flight=2, timeout=httpx.Timeout(0.3)) as channels:
        found = await channels.put({f"c{n}": document() for n in range(40)})
    assert {answer.reason for answer in found.values() if isinstance(answer, Failure)} == {"ApiUnavailable"}
    assert len(found) == 40
    assert asyncio.get_running_loop().time() - began < 3
    admin.hold.set()


@pytest.mark.parametrize(
    ("status", "reason"), [(500, "ApiUnavailable"), (503, "ApiUnavailable"), (429, "ApiThrottled")]
)
async def test_one_that_fails_hides_no_neighbour(
    admin: AdminApi, channels: ApiChannels, status: int, reason: str
) -> None:
    admin.fail(status, times=1)
    found = await channels.put({"one": document(), "two": document()})
    reasons = [answer.reason for answer in found.values() if isinstance(answer, Failure)]
    assert (reasons, len(found)) == ([reason], 2)


async def test_an_address_where_no_admin_endpoint_is_says_so(admin: AdminApi, token_file: Path) -> None:
    async with ApiChannels(f"{admin.url}/elsewhere", token_file) as channels:
        failure = await refused(channels)
    assert failure.reason == "ApiError"
    assert adapter.PATH in failure.message


async def test_c08_what_is_gone_or_is_anothers_by_now_counts_as_removed(admin: AdminApi, channels: ApiChannels) -> None:
    await put(channels, managed_by="default/team-b/general")
    removals = {slug: Removal(MINE, "delete") for slug in ("general", "never-was")}
    assert await channels.remove(removals) == {}
    assert set(admin.platform.channels) == {"general"}


async def test_c09_the_holder_is_named(admin: AdminApi, channels: ApiChannels) -> None:
    await put(channels, managed_by="default/team-b/general")
    failure = await refused(channels)
    assert (failure.reason, failure.message) == ("NameTaken", "Channel general is held by default/team-b/general.")
    assert failure.holder == "default/team-b/general"
