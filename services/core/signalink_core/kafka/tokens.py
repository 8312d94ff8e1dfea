"""Tokens for brokers that want OAUTHBEARER instead of a password, as aiokafka asks for them."""

from aiokafka.abc import AbstractTokenProvider

from signalink_core.signin import aws
from signalink_core.signin.tokens import Tokens


class Bearer(AbstractTokenProvider):
    """One token for all connections of a client."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def token(self) -> str:
        return await self._tokens.token()


def aws_msk(region: str) -> Bearer:
    """Tokens of the AWS role this process has, for MSK with IAM. Raises ConfigurationError."""
    return Bearer(aws.kafka(region))
