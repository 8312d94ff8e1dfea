"""Settings groups read from `SIGNALINK_*`; built once in a service's `app`, passed down, never read on import.

Secrets come from files (`..._PASSWORD_FILE`), read at each use, so the next connection
picks up a rotated file.
"""

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from signalink_core.errors import ConfigurationError

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from signalink_core.signin.redis import Login

PREFIX = "SIGNALINK_"
REDIS_TIMEOUT_SECONDS = 0.5
Limit = Annotated[int, Field(ge=1)]
Auth = Literal["password", "iam"]
"""How a service proves who it is: by the word in its file, or by a token of the AWS role that its process has."""


def _configured(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix=PREFIX + prefix, env_ignore_empty=True, frozen=True, extra="ignore", use_attribute_docstrings=True
    )


class SettingsGroup(BaseSettings):
    """One group of keys; `from_env` turns a missing or wrong value into one sentence naming the key."""

    @classmethod
    def from_env(cls) -> Self:
        try:
            return cls()
        except ValidationError as error:
            raise ConfigurationError(
                "; ".join(cls._sentence(item["loc"], item["msg"]) for item in error.errors()) + ".",
                next_step="set it in the environment of this process and start again.",
            ) from error

    @classmethod
    def _sentence(cls, loc: tuple[int | str, ...], message: str) -> str:
        message = message.removeprefix("Value error, ")
        key = f"{cls.model_config.get('env_prefix', PREFIX)}{loc[0] if loc else ''}".upper()
        return f"Setting {key}: {message[:1].lower()}{message[1:]}"


def read_secret(path: Path | None, purpose: str) -> str | None:
    """The file's text without its line end; None without a path. An unreadable or empty file: ConfigurationError."""
    if path is None:
        return None
    try:
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(
            f"The secret file of {purpose}, {path}, cannot be read: {reason}.",
            next_step="create it (mode 0600) or correct the ..._FILE setting.",
        ) from error
    if not secret:
        raise ConfigurationError(
            f"The secret file of {purpose}, {path}, is empty.", next_step="write the secret to it."
        )
    return secret


def tls_context(ca_file: Path | None, purpose: str) -> ssl.SSLContext:
    """Certificate and host name are checked, by the system's authorities or by those of `ca_file`."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"The certificates of {purpose}'s authority, {ca_file}, cannot be read: {error.strerror or error}.",
            next_step="give a file with PEM certificates, or correct the ..._CA_FILE setting.",
        ) from error


class PostgresSettings(SettingsGroup):
    model_config = _configured("POSTGRES_")

    dsn: str
    """`postgresql://user@host:port/database`, without a password."""
    password_file: Path | None = None
    """File that holds the password of the user in the DSN."""
    auth: Auth = "password"
    """`password`, or `iam`: a token of the process's AWS role for each connection, over TLS alone."""
    tls: Literal["off", "on"] = "off"
    """`on`: TLS or nothing; the server's certificate and name are checked."""
    ca_file: Path | None = None
    """PEM certificates of the server's authority; empty takes the system's."""
    aws_region: str = ""
    """Region of the RDS instance; for `iam`."""

    @field_validator("dsn")
    @classmethod
    def _has_its_parts(cls, dsn: str) -> str:
        parts = urlsplit(dsn)
        if parts.scheme not in {"postgresql", "postgres"} or not parts.hostname or not parts.path.strip("/"):
            raise ValueError("must look like postgresql://user@host:port/database")
        return _without_password(dsn)

    def connect_kwargs(self) -> dict[str, Any]:
        """For `asyncpg.connect` and `create_pool`; the password is a text, a coroutine function, or not there."""
        parts = urlsplit(self.dsn)
        kwargs: dict[str, Any] = {
            "host": parts.hostname,
            "port": parts.port or 5432,
            "user": unquote(parts.username or "signalink_api"),
            "database": unquote(parts.path.strip("/")),
        }
        if self.tls == "on":
            kwargs["ssl"] = tls_context(self.ca_file, "Postgres")
        if self.auth == "iam":
            return kwargs | {"password": self._token(kwargs)}
        password = read_secret(self.password_file, "Postgres")
        return kwargs if password is None else {**kwargs, "password": password}

    def _token(self, where: dict[str, Any]) -> Callable[[], Awaitable[str]]:
        """What the driver calls whenever it opens a connection."""
        from signalink_core.signin import aws

        _only_over_tls("SIGNALINK_POSTGRES", self.tls == "on", "set SIGNALINK_POSTGRES_TLS=on")
        return aws.postgres(where["host"], where["port"], where["user"], self.aws_region).token


class RedisSettings(SettingsGroup):
    model_config = _configured("REDIS_")

    url: str
    """`redis://user@host:port/db` (`rediss://` for TLS), without a password."""
    password_file: Path | None = None
    """File that holds the password of the user in the URL."""
    auth: Auth = "password"
    """`password`, or `iam`: a token of the process's AWS role, over TLS alone, renewed before 12 h."""
    ca_file: Path | None = None
    """PEM certificates of the server's authority, with `rediss://`; empty takes the system's."""
    aws_region: str = ""
    """Region of the ElastiCache cache; for `iam`."""
    cache: str = ""
    """Name of the ElastiCache cache (its replication group), which a token is for; for `iam`."""

    @field_validator("url")
    @classmethod
    def _has_its_parts(cls, url: str) -> str:
        if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError("must look like redis://user@host:port/0")
        return _without_password(url)

    def login(self) -> "Login | None":
        """Who signs in by tokens; None where a password is asked for. Raises ConfigurationError."""
        if self.auth == "password":
            return None
        from signalink_core.signin import aws, redis

        _only_over_tls("SIGNALINK_REDIS", self.url.startswith("rediss://"), "give rediss:// in SIGNALINK_REDIS_URL")
        user = unquote(urlsplit(self.url).username or "default")
        return redis.Login(user, aws.redis(self.cache, user, self.aws_region).token)

    def client(self, **kwargs: Any) -> "Redis":
        """A client with 0.5 s timeouts and no retries of its own; keyword arguments override."""
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        defaults: dict[str, Any] = {
            "socket_timeout": REDIS_TIMEOUT_SECONDS,
            "socket_connect_timeout": REDIS_TIMEOUT_SECONDS,
            "retry": Retry(NoBackoff(), 0),
        }
        if self.ca_file is not None and self.url.startswith("rediss://"):
            tls_context(self.ca_file, "Redis")  # says what is wrong with it now, not at each connection
            defaults["ssl_ca_certs"] = str(self.ca_file)
        if (login := self.login()) is not None:
            from signalink_core.signin import redis

            return redis.client(self.url, login, **{**defaults, **kwargs})
        password = read_secret(self.password_file, "Redis")
        if password is not None:
            defaults["password"] = password
        return Redis.from_url(self.url, **{**defaults, **kwargs})


class KafkaSettings(SettingsGroup):
    model_config = _configured("KAFKA_")

    bootstrap: str
    """Comma list of `host:port`."""
    user: str | None = None
    """SCRAM user; required with SASL."""
    password_file: Path | None = None
    """File that holds the SCRAM password."""
    security: Literal["plaintext", "sasl_plaintext", "sasl_ssl", "aws_msk_iam"] = "sasl_plaintext"
    """How clients prove who they are; SASL means SCRAM-SHA-512, `aws_msk_iam` TLS and a token of the AWS role."""
    aws_region: str = ""
    """Region of the Amazon MSK cluster; for `aws_msk_iam`."""
    ca_file: Path | None = None
    """PEM certificates of the brokers' authority, with TLS; empty takes the system's."""
    topic_prefix: str = ""
    """Put before every topic and group name."""

    def __init__(self, **values: Any) -> None:
        # The prefix is a platform-wide key, SIGNALINK_TOPIC_PREFIX, not one of SIGNALINK_KAFKA_*.
        super().__init__(**({"topic_prefix": _TopicPrefix().topic_prefix} | values))

    @classmethod
    def from_env_if_set(cls) -> Self | None:
        """None without SIGNALINK_KAFKA_BOOTSTRAP: for a process that can do its work without Kafka."""
        return cls.from_env() if _Bootstrap().bootstrap else None

    def topic(self, name: str) -> str:
        return self.topic_prefix + name

    def client_kwargs(self) -> dict[str, Any]:
        """Connection arguments that every aiokafka client takes."""
        iam = self.security == "aws_msk_iam"
        kwargs: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": "SASL_SSL" if iam else self.security.upper(),
        }
        if self.security in {"sasl_ssl", "aws_msk_iam"}:
            kwargs["ssl_context"] = tls_context(self.ca_file, "Kafka")
        if iam:
            from signalink_core.kafka import tokens

            kwargs |= {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": tokens.aws_msk(self.aws_region)}
        elif self.security != "plaintext":
            if self.user is None or self.password_file is None:
                raise ConfigurationError(
                    f"Kafka security is {self.security} but the user or the password file is missing.",
                    next_step="set SIGNALINK_KAFKA_USER and SIGNALINK_KAFKA_PASSWORD_FILE.",
                )
            kwargs |= {
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": self.user,
                "sasl_plain_password": read_secret(self.password_file, "Kafka"),
            }
        return kwargs


class _TopicPrefix(SettingsGroup):
    model_config = _configured("")
    topic_prefix: str = ""


class _Bootstrap(SettingsGroup):
    model_config = _configured("KAFKA_")
    bootstrap: str = ""


class ProcessSettings(SettingsGroup):
    model_config = _configured("")

    host: str = "127.0.0.1"
    """Address both ports bind."""
    http_port: int = 0
    """Public port; 0 takes a free one."""
    metrics_port: int = 0
    """Internal port; 0 takes a free one."""
    node: str = ""
    """Name of this process in logs and frames; empty becomes `<service>-0`."""
    environment: Literal["local", "prod"] = "local"
    """`prod` refuses fault points."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level written."""
    faults: Literal["on", "off"] = "off"
    """Fault points and their control endpoint on the internal port."""
    faults_token_file: Path | None = None
    """File that holds the bearer token of the fault control endpoint."""
    faults_file: Path | None = None
    """JSON list of the faults that are set when the process starts, each as PUT /faults takes it."""
    inspect_token_file: Path | None = None
    """File that holds the bearer token of /debug on the internal port; without it /debug is not served."""

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    def named(self, service: str) -> Self:
        """The same settings with `node` filled in."""
        return self if self.node else self.model_copy(update={"node": f"{service}-0"})


class AuthSettings(SettingsGroup):
    model_config = _configured("AUTH_")

    jwks_url: str = "http://127.0.0.1:8000/.well-known/jwks.json"
    """Where verifiers fetch the public keys."""
    issuer: str = "signalink"
    """`iss` of every token."""
    keys_dir: Path | None = None
    """api only: folder of `<kid>.pem` Ed25519 private keys; the lexicographically last signs."""
    secret_file: Path | None = None
    """api only: 32 bytes for refresh tokens and cursors."""


class EdgeSettings(SettingsGroup):
    model_config = _configured("")

    api_url: str = "http://127.0.0.1:8000"
    """Base address of the api, without a path."""
    gateway_url: str = "ws://127.0.0.1:8001/v1/socket"
    """Address of the socket that tickets point to."""
    gateway_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """gateway only: comma list of further host names it is reached by, besides that of `gateway_url` and loopback."""
    gateway_urls: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma list of the sockets of every gateway process; empty means `gateway_url` alone."""
    analytics_url: str = ""
    """Base address of analytics, for the browser page; empty where there is none."""
    notifications_url: str = ""
    """Base address of notifications, for the browser page; empty where there is none."""
    ws_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma list of the exact origins that may open sockets and call the api from a browser."""

    @field_validator("ws_origins", "gateway_hosts", "gateway_urls", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class LimitSettings(SettingsGroup):
    """The table of design: each a number of hits in the unit of its name; the replay profile raises them."""

    model_config = _configured("LIMITS_")

    posts_per_second_per_user: Limit = 10
    posts_per_second_per_channel: Limit = 200
    searches_per_second_per_user: Limit = 2
    figures_per_second_per_user: Limit = 20
    requests_per_second_per_user: Limit = 50
    requests_per_second_per_ip: Limit = 100
    logins_per_minute_per_account: Limit = 5
    logins_per_minute_per_ip: Limit = 20
    registrations_per_hour_per_ip: Limit = 5
    refreshes_per_minute_per_family: Limit = 10
    connects_per_second_per_ip: Limit = 20
    sockets_per_ip: Limit = 100
    sockets_per_user: Limit = 10
    commands_per_second_per_socket: Limit = 20
    subscriptions_per_socket: Limit = 500


def _only_over_tls(key: str, spoken: bool, fix: str) -> None:
    if not spoken:
        raise ConfigurationError(
            f"{key}_AUTH is iam but TLS is off: tokens would travel in clear.", next_step=f"{fix}."
        )


def _without_password(url: str) -> str:
    if urlsplit(url).password is not None:
        raise ValueError("must not carry a password; put it into the ..._PASSWORD_FILE")
    return url
