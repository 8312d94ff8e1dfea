"""Webhooks on a real receiver with TLS: signed posts, the documented verifier, and what must reach nobody."""

import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from authorities import Authority, RebindingResolver
from channelrigs import notice, outgoing
from providers import Answer, WebhookReceiver

from signalink_core.errors import ConfigurationError
from signalink_core.settings import ProcessSettings
from signalink_notifications.channels.port import Again, Never, Outcome, Outgoing, Sent, Target
from signalink_notifications.channels.webhook import ANSWER_BYTES, WebhookChannel
from signalink_notifications.delivery.settings import (
    DeliverySettings,
    DispatchSettings,
    EmailSettings,
    PushSettings,
    WebhookSettings,
)
from signalink_notifications.egress import Place

SECRET = "whisper"
DOCUMENT = Path(__file__).parents[2] / "docs/notifications.md"


def documented_verifier() -> Callable[..., bool]:
    """The function of docs/notifications.md, as a reader would copy it."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the documentation's own example
    found: Callable[..., bool] = names["is_genuine"]
    return found


@asynccontextmanager
async def started(settings: WebhookSettings, **more: Any) -> AsyncIterator[WebhookChannel]:
    async with WebhookChannel(settings, **more) as channel:
        yield channel


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def receiver(authority: Authority) -> Any:
    with WebhookReceiver(authority.server("127.0.0.1", "localhost", "hooks.example")) as server:
        yield server


def allowing(receiver: WebhookReceiver, authority: Authority, **more: Any) -> WebhookSettings:
    places = (Place("127.0.0.1", receiver.port), Place("hooks.example", receiver.port))
    return WebhookSettings(**{"allow": places, "ca_file": authority.ca_file, "timeout_seconds": 3.0} | more)


def to(url: str, **fields: Any) -> Outgoing:
    return outgoing(Target("", url, SECRET), **fields)


async def test_webhook_post_is_signed_as_the_documentation_says(
    receiver: WebhookReceiver, authority: Authority
) -> None:
    genuine = documented_verifier()
    made = notice(body="hello <b>", sender_name="Ann")
    async with started(allowing(receiver, authority)) as channel:
        sent = outgoing(Target("", f"{receiver.url}/hook?a=b", SECRET), made)
        assert await channel.send(sent) == Sent("http_204")
    (request,) = receiver.taken
    headers = dict(request.headers)
    assert request.path == "/hook?a=b" and headers["host"] == f"127.0.0.1:{receiver.port}"
    assert headers["idempotency-key"] == str(sent.key)
    assert genuine(SECRET, headers, request.body)
    said = json.loads(request.body)
    assert (said["kind"], said["message"]["body"], said["message"]["sender_name"]) == ("mention", "hello <b>", "Ann")
    assert not genuine("other", headers, request.body)
    assert not genuine(SECRET, headers, request.body + b" ")
    for late in (-301, 301):
        assert not genuine(SECRET, headers, request.body, now=time.time() + late)
    assert not genuine(SECRET, headers | {"signalink-timestamp": str(int(time.time()) + 5)}, request.body)
    assert not genuine(SECRET, {}, request.body)


async def test_webhook_repeat_is_signed_anew_under_the_same_key(
    receiver: WebhookReceiver, authority: Authority
) -> None:
    now, sent = [1000.0], to(f"{receiver.url}/")
    async with started(allowing(receiver, authority), now=lambda: now[0]) as channel:
        await channel.send(sent)
        now[0] = 2000.0
        await channel.send(sent)
    first, second = receiver.taken
    assert first.body == second.body and set(receiver.keys.values()) == {2}
    assert [request.headers["signalink-timestamp"] for request in (first, second)] == ["1000", "2000"]
    assert first.headers["signalink-signature"] != second.headers["signalink-signature"]


async def test_webhook_connects_to_the_checked_address_with_the_name_for_tls_and_host(
    receiver: WebhookReceiver, authority: Authority
) -> None:
    resolver = RebindingResolver(["127.0.0.1"], ["10.0.0.1"])
    async with started(allowing(receiver, authority), resolver=resolver) as channel:
        assert await channel.send(to(f"https://hooks.example:{receiver.port}/")) == Sent("http_204")
    assert receiver.taken[0].headers["host"] == f"hooks.example:{receiver.port}"
    assert resolver.asked == ["hooks.example"]


async def test_webhook_refuses_a_certificate_for_another_name(tmp_path: Path, authority: Authority) -> None:
    with WebhookReceiver(authority.server("elsewhere.example")) as receiver:
        async with started(allowing(receiver, authority)) as channel:
            assert await channel.send(to(f"{receiver.url}/")) == Again("unreachable")
        assert receiver.requests == []


async def test_webhook_refuses_a_certificate_that_nobody_vouches_for(receiver: WebhookReceiver) -> None:
    settings = WebhookSettings(allow=(Place("127.0.0.1", receiver.port),))
    async with started(settings) as channel:
        assert await channel.send(to(f"{receiver.url}/")) == Again("unreachable")
    assert receiver.requests == []


@pytest.mark.parametrize(
    "answers",
    [[["127.0.0.1"]], [["93.184.216.34", "127.0.0.1"]], [["::ffff:127.0.0.1"]], [["::1"]], [["169.254.169.254"]]],
)
async def test_webhook_to_a_name_with_a_private_address_reaches_nobody(
    answers: list[list[str]], authority: Authority
) -> None:
    with WebhookReceiver(authority.server("hooks.example")) as sink:
        settings = WebhookSettings(ca_file=authority.ca_file)
        async with started(settings, resolver=RebindingResolver(*answers)) as channel:
            assert await channel.send(to("https://hooks.example/")) == Never("url_address")
            assert await channel.send(to(f"https://hooks.example:{sink.port}/")) == Never("url_port")
            assert await channel.send(to(f"{sink.url}/")) == Never("url_port")
        assert sink.connections == 0


async def test_webhook_to_a_rebinding_name_connects_only_where_it_was_checked(
    receiver: WebhookReceiver, authority: Authority
) -> None:
    """The first answer is let through, the second is the sink: who resolves again to connect would reach it."""
    resolver = RebindingResolver(["127.0.0.1"], ["127.0.0.2"])
    with WebhookReceiver(authority.server("hooks.example")) as sink:
        async with started(allowing(receiver, authority), resolver=resolver) as channel:
            assert await channel.send(to(f"https://hooks.example:{receiver.port}/")) == Sent("http_204")
        assert (resolver.asked, sink.connections) == (["hooks.example"], 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_webhook_follows_no_redirect(status: int, receiver: WebhookReceiver, authority: Authority) -> None:
    with WebhookReceiver(authority.server()) as sink:
        receiver.answers.queue(Answer(status, location=f"{sink.url}/inside"))
        async with started(allowing(receiver, authority)) as channel:
            assert await channel.send(to(f"{receiver.url}/")) == Never(f"redirect_{status}")
        assert sink.connections == 0


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (Answer(200, body=b"x" * 100), Sent("http_200")),
        (Answer(408), Again("http_408")),
        (Answer(429, retry_after="30"), Again("http_429", 30.0)),
        (Answer(503, retry_after="later"), Again("http_503")),
        (Answer(400), Never("http_400")),
        (Answer(410), Never("http_410")),
        (Answer(hang_up=True), Again("unreachable")),
    ],
)
async def test_webhook_answers_mean_what_the_documentation_says(
    answer: Answer, wanted: Outcome, receiver: WebhookReceiver, authority: Authority
) -> None:
    receiver.answers.queue(answer)
    async with started(allowing(receiver, authority)) as channel:
        assert await channel.send(to(f"{receiver.url}/")) == wanted


async def test_webhook_reads_no_more_of_an_answer_than_it_throws_away(
    receiver: WebhookReceiver, authority: Authority
) -> None:
    receiver.answers.queue(Answer(200, body=b"x" * (ANSWER_BYTES * 40)))
    async with started(allowing(receiver, authority)) as channel:
        assert await channel.send(to(f"{receiver.url}/")) == Sent("http_200")


async def test_webhook_to_a_slow_host_ends_after_its_time_in_all(
    receiver: WebhookReceiver, authority: Authority
) -> None:
    receiver.answers.queue(Answer(seconds=6))
    async with started(allowing(receiver, authority, timeout_seconds=1.0)) as channel:
        began = time.monotonic()
        assert await channel.send(to(f"{receiver.url}/")) == Again("timeout")
        assert time.monotonic() - began < 3


async def test_webhook_breakers_are_one_per_host(authority: Authority) -> None:
    channel = WebhookChannel(WebhookSettings())
    assert channel.provider(Target("", "https://Hooks.Example:8443/x")) == "hooks.example"


def test_webhook_allow_list_is_for_loopback_only_and_refused_in_prod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALINK_WEBHOOK_ALLOW", "127.0.0.1:9000, [::1]:9001,localhost:9002")
    allowed = WebhookSettings.from_env()
    assert allowed.allow == (Place("127.0.0.1", 9000), Place("::1", 9001), Place("localhost", 9002))
    settings = DeliverySettings(DispatchSettings(), EmailSettings(), PushSettings(), allowed)
    settings.check(ProcessSettings(environment="local"))
    with pytest.raises(ConfigurationError, match="SIGNALINK_WEBHOOK_ALLOW"):
        settings.check(ProcessSettings(environment="prod"))
    for wrong in ("10.0.0.1:80", "example.org:443", "127.0.0.1"):
        monkeypatch.setenv("SIGNALINK_WEBHOOK_ALLOW", wrong)
        with pytest.raises(ConfigurationError, match="SIGNALINK_WEBHOOK_ALLOW"):
            WebhookSettings.from_env()


def test_webhook_lease_is_longer_than_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    short = DeliverySettings(DispatchSettings(lease_seconds=5.0), EmailSettings(), PushSettings(), WebhookSettings())
    with pytest.raises(ConfigurationError, match="SIGNALINK_DISPATCH_LEASE_SECONDS"):
        short.check(ProcessSettings())


def test_webhook_verifies_certificates_in_every_build() -> None:
    channel = WebhookChannel(WebhookSettings())
    assert (channel._tls.verify_mode, channel._tls.check_hostname) == (ssl.CERT_REQUIRED, True)
