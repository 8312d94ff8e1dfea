"""Owns talking to AWS: boto3's clients of one region, with deadlines, and its errors as ours. boto3 is of extra aws."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from signalink_core.errors import ConfigurationError, DependencyUnavailable

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 30
ATTEMPTS: Final = 4


class Clients:
    """A client of each service, made when it is first asked for."""

    def __init__(self, region: str = "") -> None:
        boto3, config = _library()
        self._session = boto3.Session(region_name=region or None)
        self._config = config.Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        )
        self._made: dict[str, Any] = {}
        if not self._session.region_name:
            raise ConfigurationError("Which region? None is set.", next_step="say --region, or set AWS_REGION.")

    @property
    def region(self) -> str:
        return str(self._session.region_name)

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self._session.client(service, config=self._config)
        return self._made[service]


def _library() -> tuple[Any, Any]:
    try:
        import boto3
        from botocore import config
    except ImportError as error:
        raise ConfigurationError(
            "boto3 is not installed; what stays on this machine does without it.",
            next_step="`.venv/bin/pip install --require-hashes -r requirements/aws.txt`",
        ) from error
    return boto3, config


@contextmanager
def translated() -> Iterator[None]:
    """Errors of AWS as ours: no credentials and no rights are the caller's to mend, the rest is the cloud's."""
    from botocore import exceptions, parsers

    try:
        yield
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound) as error:
        raise ConfigurationError(
            f"There are no AWS credentials: {str(error).rstrip('.')}.",
            next_step="`aws configure sso`, or set AWS_PROFILE.",
        ) from error
    except exceptions.ClientError as error:
        raise DependencyUnavailable(
            f"AWS refused {error.operation_name}: {reason(error)}.",
            next_step="`signalink doctor --target eks` says who you are and what is missing.",
        ) from error
    except (exceptions.BotoCoreError, parsers.ResponseParserError) as error:
        raise DependencyUnavailable(
            f"AWS does not answer: {str(error).rstrip('.')}.", next_step="look at the network, then try again."
        ) from error


def reason(error: Any) -> str:
    """`DependencyViolation: it is in use`, from what the service said."""
    found = error.response.get("Error", {})
    message = str(found.get("Message", "")).strip().rstrip(".")
    return f"{found.get('Code', 'error')}{': ' + message.splitlines()[0] if message else ''}"
