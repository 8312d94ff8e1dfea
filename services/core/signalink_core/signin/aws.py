"""Tokens of the AWS role that this process has, for RDS, ElastiCache and MSK (extra `aws`).

Owns what is signed and by whose keys. The keys come from where AWS's own library looks: on EKS that is the pod's
identity, asked over the address in AWS_CONTAINER_CREDENTIALS_FULL_URI; signing itself asks nobody.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode

from signalink_core.errors import ConfigurationError
from signalink_core.signin.tokens import WORKER, Sign, SignInFailed, Tokens

TOKEN_SECONDS: Final = 900
"""The longest that RDS, ElastiCache and MSK take."""
SECRET_SECONDS: Final = 20.0
SCHEME: Final = "https://"
"""What is signed is an address with a scheme; what is sent as a password is the same without."""


class Role:
    """The role of this process. Its methods give signers; each may block, and raises SignInFailed."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._turn = threading.Lock()
        self._session: Any = None

    def postgres(self, host: str, port: int, user: str, region: str) -> Sign:
        """For RDS: as what `aws rds generate-db-auth-token` prints."""
        query = {"Action": "connect", "DBUser": user}
        return self._signs("RDS", "rds-db", region, f"{host}:{port}", query)

    def redis(self, cache_name: str, user: str, region: str) -> Sign:
        """For ElastiCache, where a cache is called by its name in lower case, not by its address."""
        query = {"Action": "connect", "User": user}
        return self._signs("ElastiCache", "elasticache", region, cache_name.lower(), query)

    def kafka(self, region: str) -> Sign:
        """For MSK, by AWS's signer for it."""
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
        from botocore.credentials import CredentialProvider

        class Ours(CredentialProvider):
            """The keys that are held already: the signer would look for them anew at each token."""

            def load(inner) -> Any:  # noqa: N805 - `self` is the role
                return self._keys()

        def sign() -> tuple[str, float]:
            token, ends_ms = MSKAuthTokenProvider.generate_auth_token_from_credentials_provider(region, Ours())  # type: ignore[no-untyped-call]
            return token, ends_ms / 1000

        return _told(sign)

    def secret(self, arn: str, region: str) -> dict[str, str]:
        """What AWS Secrets Manager keeps under the ARN. Blocks for 15 s at most."""
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        patience = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})
        try:
            self._keys()
            client = self._session.create_client("secretsmanager", region_name=region, config=patience)
            found: dict[str, str] = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
        except (BotoCoreError, ClientError) as error:
            raise SignInFailed(f"AWS Secrets Manager does not give {arn}: {error}") from error
        return found

    def _signs(self, service: str, name: str, region: str, host: str, query: dict[str, str]) -> Sign:
        from botocore.model import ServiceId
        from botocore.signers import RequestSigner

        def sign() -> tuple[str, float]:
            keys, events = self._keys(), self._session.get_component("event_emitter")
            signer = RequestSigner(ServiceId(service), region, name, "v4", keys, events)
            url = f"{SCHEME}{host}/?{urlencode(query)}"
            request = {"method": "GET", "url": url, "body": {}, "headers": {}, "context": {}}
            now = self.clock()
            signed = signer.generate_presigned_url(request, "connect", TOKEN_SECONDS, region, name)
            return signed.removeprefix(SCHEME), now + TOKEN_SECONDS

        return _told(sign)

    def _keys(self) -> Any:
        """Found once; the library asks for new ones itself before they end."""
        import botocore.session

        with self._turn:
            if self._session is None:
                self._session = botocore.session.Session()
            keys = self._session.get_credentials()
        if keys is None:
            raise SignInFailed("this process has no AWS role. Next: give its service account one (EKS Pod Identity).")
        return keys


def _told(sign: Sign) -> Sign:
    """The library's many errors as one that callers know."""
    from botocore.exceptions import BotoCoreError

    def told() -> tuple[str, float]:
        try:
            return sign()
        except BotoCoreError as error:
            raise SignInFailed(f"AWS gave no keys for this process's role: {error}") from error

    return told


@cache
def role() -> Role:
    """This process's."""
    return Role()


@cache
def postgres(host: str, port: int, user: str, region: str) -> Tokens:
    """Raises ConfigurationError without a region, or without the extra."""
    return _made("Postgres", "SIGNALINK_POSTGRES_AWS_REGION", region, lambda: role().postgres(host, port, user, region))


@cache
def redis(cache_name: str, user: str, region: str) -> Tokens:
    """Raises ConfigurationError without a region, a cache, or the extra."""
    _given("Redis", cache_name, "SIGNALINK_REDIS_CACHE", "name of the cache (its replication group)", "signalink")
    return _made("Redis", "SIGNALINK_REDIS_AWS_REGION", region, lambda: role().redis(cache_name, user, region))


@cache
def kafka(region: str) -> Tokens:
    """Raises ConfigurationError without a region, or without the extra."""
    return _made("Kafka", "SIGNALINK_KAFKA_AWS_REGION", region, lambda: role().kafka(region))


async def secret(arn: str, region: str) -> dict[str, str]:
    """A secret that AWS keeps as a table. Raises SignInFailed, TimeoutError, ConfigurationError without a region."""
    _given("Postgres", region, "SIGNALINK_POSTGRES_AWS_REGION", "region", "eu-central-1")
    async with asyncio.timeout(SECRET_SECONDS):
        return await asyncio.get_running_loop().run_in_executor(WORKER, role().secret, arn, region)


def _given(engine: str, value: str, key: str, what: str, example: str) -> None:
    if not value:
        raise ConfigurationError(
            f"{engine} wants a token of the AWS role but the {what} is missing.",
            next_step=f"set {key}, for example to {example}.",
        )


def _made(engine: str, key: str, region: str, signs: Callable[[], Sign]) -> Tokens:
    _given(engine, region, key, "region", "eu-central-1")
    try:
        return Tokens(signs(), role().clock)
    except ImportError as error:
        raise ConfigurationError(
            f"{engine} wants a token of the AWS role but AWS's signer is not installed.",
            next_step="install the extra, pip install 'signalink[aws]', or take an image that was built with it.",
        ) from error
