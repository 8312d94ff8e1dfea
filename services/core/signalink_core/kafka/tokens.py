"""Tokens for brokers that want OAUTHBEARER instead of a password: kept until just before they end, made off the loop.

Owns the cache and the one signer there is, that of Amazon MSK (extra `aws`). Which broker wants one is a setting.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from aiokafka.abc import AbstractTokenProvider

from signalink_core.errors import ConfigurationError

Sign = Callable[[], tuple[str, float]]
"""A fresh token and when it ends (Unix time, seconds). May block; called in a thread."""
MARGIN_SECONDS: Final = 60.0
SIGN_SECONDS: Final = 10.0


class Tokens(AbstractTokenProvider):
    """One token for all connections of a client. `token()` raises TimeoutError, or what the signer raises."""

    def __init__(self, sign: Sign, clock: Callable[[], float] = time.time) -> None:
        self._sign, self._clock = sign, clock
        self._turn = asyncio.Lock()
        self._token, self._until = "", float("-inf")

    async def token(self) -> str:
        async with self._turn:
            if self._clock() >= self._until - MARGIN_SECONDS:
                async with asyncio.timeout(SIGN_SECONDS):
                    self._token, self._until = await asyncio.to_thread(self._sign)
            return self._token


def aws_msk(region: str) -> Tokens:
    """Tokens of the AWS role this process has (environment, web identity or instance), for MSK with IAM.

    Raises ConfigurationError without a region, or without the extra.
    """
    if not region:
        raise ConfigurationError(
            "Kafka security is aws_msk_iam but the region of the cluster is missing.",
            next_step="set SIGNALINK_KAFKA_AWS_REGION, for example to eu-central-1.",
        )
    try:
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
    except ImportError as error:
        raise ConfigurationError(
            "Kafka security is aws_msk_iam but its signer is not installed.",
            next_step="install the extra: pip install 'signalink[aws]'.",
        ) from error

    def sign() -> tuple[str, float]:
        token, expires_ms = MSKAuthTokenProvider.generate_auth_token(region)
        return token, expires_ms / 1000

    return Tokens(sign)
