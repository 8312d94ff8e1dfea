"""Tokens for brokers with OAUTHBEARER: given to every client, clear errors when one is missing."""

import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import OAuthAuthenticator

from signalink_core.errors import ConfigurationError
from signalink_core.settings import KafkaSettings
from signalink_core.signin import aws
from signalink_core.signin.tokens import Sign

SETTINGS = {"bootstrap": "127.0.0.1:1", "security": "aws_msk_iam"}


@pytest.fixture
def signer(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Stands for the role of this process; the regions it was asked for."""
    asked: list[str] = []

    def kafka(region: str) -> Sign:
        def sign() -> tuple[str, float]:
            asked.append(region)
            return f"token {len(asked)}", 4_000_000_000.0

        return sign

    monkeypatch.setattr(aws, "role", lambda: SimpleNamespace(kafka=kafka, clock=time.time))
    aws.kafka.cache_clear()
    yield asked
    aws.kafka.cache_clear()


async def test_producer_and_consumer_are_given_the_token_of_the_role(signer: list[str]) -> None:
    kwargs = KafkaSettings(**SETTINGS, aws_region="eu-central-1").client_kwargs()
    assert (kwargs["security_protocol"], kwargs["sasl_mechanism"]) == ("SASL_SSL", "OAUTHBEARER")
    assert kwargs["ssl_context"].check_hostname
    provider = kwargs["sasl_oauth_token_provider"]
    assert isinstance(provider, AbstractTokenProvider)
    for client in (AIOKafkaProducer(**kwargs), AIOKafkaConsumer("messages", **kwargs)):
        held: Any = client
        await held.stop()
        sent = await OAuthAuthenticator(sasl_oauth_token_provider=_provider(held)).step(None)
        assert b"auth=Bearer token 1" in sent[0]
    assert signer == ["eu-central-1"]


def _provider(client: Any) -> Any:
    inner = getattr(client, "_client", None) or client.client
    return inner._sasl_oauth_token_provider


def test_a_missing_region_is_said(signer: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="region") as refused:
        KafkaSettings(**SETTINGS).client_kwargs()
    assert "SIGNALINK_KAFKA_AWS_REGION" in str(refused.value.next_step)


def test_a_missing_extra_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    aws.kafka.cache_clear()
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer", None)
    with pytest.raises(ConfigurationError, match="signer is not installed") as refused:
        KafkaSettings(**SETTINGS, aws_region="eu-central-1").client_kwargs()
    assert "signalink[aws]" in str(refused.value.next_step)
