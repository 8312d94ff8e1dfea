"""Push on a server that speaks FCM v1 and the OAuth of service accounts: what is sent, and what FCM's answers mean."""

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from channelrigs import notice, outgoing
from providers import Answer, FcmServer

from signalink_core.errors import ConfigurationError
from signalink_notifications.channels.port import Again, Never, Outcome, Sent, Target
from signalink_notifications.channels.push import PushChannel
from signalink_notifications.delivery.settings import PushSettings

PHONE = Target("device", "phone")


class Stage:
    def __init__(self, fcm: FcmServer, channel: PushChannel) -> None:
        self.fcm, self.channel = fcm, channel


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    with FcmServer() as fcm:
        file = fcm.credentials(tmp_path / "account.json")
        async with PushChannel(PushSettings(credentials_file=file, endpoint=fcm.url, timeout_seconds=6.0)) as channel:
            yield Stage(fcm, channel)


async def test_push_says_who_wrote_what_and_lets_a_repeat_take_the_first_ones_place(stage: Stage) -> None:
    made = notice(body="hello\n\n bob " + "x" * 500)
    sent = outgoing(PHONE, made)
    assert await stage.channel.send(sent) == Sent("projects/signalink-test/messages/1")
    (message,) = stage.fcm.messages
    assert message["token"] == "phone"
    assert message["notification"]["title"] == "Ann mentioned you in #general"
    assert message["notification"]["body"].startswith("hello bob xxx") and len(message["notification"]["body"]) == 240
    key = str(sent.key)
    assert message["data"]["idempotency_key"] == key
    assert message["data"]["message_id"] == str(made.message_id)
    assert message["android"]["notification"]["tag"] == message["apns"]["headers"]["apns-collapse-id"] == key
    assert message["webpush"]["notification"]["tag"] == key
    assert len(json.dumps(message)) < 4096


async def test_push_asks_for_an_access_token_once(stage: Stage) -> None:
    for _ in range(3):
        await stage.channel.send(outgoing(PHONE))
    assert len(stage.fcm.messages) == 3
    assert [request.path for request in stage.fcm.requests].count("/token") == 1


async def test_push_asks_nobody_but_fcm_and_its_sign_in(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    real = socket.getaddrinfo

    def noted(host: str, *more: Any, **named: Any) -> Any:
        asked.add(host)
        return real(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    for _ in range(2):
        assert isinstance(await stage.channel.send(outgoing(PHONE)), Sent)
    assert asked == {"127.0.0.1"}


@pytest.mark.parametrize(("kind", "reason"), [("dead", "unregistered"), ("malformed", "token_malformed")])
async def test_push_says_that_a_device_is_gone(stage: Stage, kind: str, reason: str) -> None:
    getattr(stage.fcm, kind).add("phone")
    assert await stage.channel.send(outgoing(PHONE)) == Never(reason, gone=True)
    assert await stage.channel.send(outgoing(Target("other", "tablet"))) == Sent("projects/signalink-test/messages/1")


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (Answer(429, retry_after="60"), Again("fcm_429", 60.0)),
        (Answer(500), Again("fcm_500")),
        (Answer(503, retry_after="7"), Again("fcm_503", 7.0)),
        (Answer(400), Never("fcm_400")),
        (Answer(403), Again("fcm_login_403")),
        (Answer(hang_up=True), Again("unreachable")),
    ],
)
async def test_push_calls_once_and_leaves_repeating_to_the_dispatcher(
    stage: Stage, answer: Answer, wanted: Outcome
) -> None:
    stage.fcm.answers.queue(answer)
    assert await stage.channel.send(outgoing(PHONE)) == wanted
    calls = [request for request in stage.fcm.requests if request.path != "/token"]
    assert len(calls) == 1, "the library repeats by itself"


async def test_push_without_access_is_tried_again_and_no_device_is_gone(stage: Stage) -> None:
    stage.fcm.token_answers.always = Answer(400, body=b'{"error": "invalid_grant"}')
    outcome = await stage.channel.send(outgoing(PHONE))
    assert isinstance(outcome, Again) and outcome.reason.startswith("fcm_login")


async def test_push_without_credentials_is_disabled_and_with_broken_ones_refused(tmp_path: Path) -> None:
    async with PushChannel(PushSettings()) as channel:
        assert channel.disabled == "SIGNALINK_PUSH_CREDENTIALS_FILE is not set"
    broken = tmp_path / "broken.json"
    broken.write_text('{"type": "service_account", "private_key": "whisper"}')
    for file in (broken, tmp_path / "missing.json"):
        with pytest.raises(ConfigurationError, match="cannot be used") as caught:
            await PushChannel(PushSettings(credentials_file=file)).start()
        assert "whisper" not in str(caught.value)


def test_push_speaks_to_nobody_in_clear_but_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("http://fcm.example", "ftp://x", "fcm.googleapis.com"):
        monkeypatch.setenv("SIGNALINK_PUSH_ENDPOINT", wrong)
        with pytest.raises(ConfigurationError, match="SIGNALINK_PUSH_ENDPOINT"):
            PushSettings.from_env()
    monkeypatch.setenv("SIGNALINK_PUSH_ENDPOINT", "http://127.0.0.1:9/")
    settings: Any = PushSettings.from_env()
    assert settings.endpoint == "http://127.0.0.1:9"
