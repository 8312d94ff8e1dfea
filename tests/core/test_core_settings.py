"""Settings: the environment becomes typed groups, secrets come from files, and a wrong key is named in one sentence."""

from pathlib import Path

import pytest

from signalink_core.errors import ConfigurationError
from signalink_core.settings import (
    AuthSettings,
    EdgeSettings,
    KafkaSettings,
    LimitSettings,
    PostgresSettings,
    ProcessSettings,
    RedisSettings,
    read_secret,
)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("pass word\n")
    return path


def test_a_missing_key_is_named_with_its_environment_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGNALINK_POSTGRES_DSN", raising=False)
    with pytest.raises(ConfigurationError, match="SIGNALINK_POSTGRES_DSN: field required") as caught:
        PostgresSettings.from_env()
    assert caught.value.next_step


def test_a_wrong_value_is_named_with_its_environment_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALINK_HTTP_PORT", "eighty")
    with pytest.raises(ConfigurationError, match="SIGNALINK_HTTP_PORT"):
        ProcessSettings.from_env()


def test_postgres_settings_become_asyncpg_arguments(secret: Path) -> None:
    settings = PostgresSettings(dsn="postgresql://signalink_api@127.0.0.1:6543/signalink", password_file=secret)
    assert settings.connect_kwargs() == {
        "host": "127.0.0.1",
        "port": 6543,
        "user": "signalink_api",
        "database": "signalink",
        "password": "pass word",
    }


def test_a_rotated_password_file_is_read_again(secret: Path) -> None:
    settings = PostgresSettings(dsn="postgresql://u@h/d", password_file=secret)
    settings.connect_kwargs()
    secret.write_text("rotated")
    assert settings.connect_kwargs()["password"] == "rotated"


@pytest.mark.parametrize("dsn", ["mysql://u@h/d", "postgresql://u@h", "nonsense"])
def test_a_dsn_of_another_shape_is_refused_with_the_right_shape(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALINK_POSTGRES_DSN", dsn)
    with pytest.raises(ConfigurationError, match="postgresql://user@host:port/database"):
        PostgresSettings.from_env()


@pytest.mark.parametrize(
    ("key", "group", "value"),
    [
        ("SIGNALINK_POSTGRES_DSN", PostgresSettings, "postgresql://u:hunter2@h/d"),
        ("SIGNALINK_REDIS_URL", RedisSettings, "redis://u:hunter2@h:1/0"),
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(
    key: str, group: type[PostgresSettings] | type[RedisSettings], value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(key, value)
    with pytest.raises(ConfigurationError, match="PASSWORD_FILE") as caught:
        group.from_env()
    assert "hunter2" not in str(caught.value)


async def test_a_redis_client_waits_half_a_second_and_never_retries(secret: Path) -> None:
    client = RedisSettings(url="redis://api@127.0.0.1:6379/2", password_file=secret).client()
    kwargs = client.connection_pool.connection_kwargs
    assert (kwargs["username"], kwargs["password"], kwargs["db"]) == ("api", "pass word", 2)
    assert kwargs["socket_timeout"] == kwargs["socket_connect_timeout"] == 0.5
    assert kwargs["retry"].get_retries() == 0
    await client.aclose()


def test_kafka_settings_become_scram_arguments(secret: Path) -> None:
    settings = KafkaSettings(bootstrap="127.0.0.1:9092", user="relay", password_file=secret)
    assert settings.client_kwargs() == {
        "bootstrap_servers": "127.0.0.1:9092",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "relay",
        "sasl_plain_password": "pass word",
    }
    assert "ssl_context" in settings.model_copy(update={"security": "sasl_ssl"}).client_kwargs()


def test_kafka_with_sasl_needs_a_user_and_a_password_file() -> None:
    with pytest.raises(ConfigurationError, match="SIGNALINK_KAFKA_USER"):
        KafkaSettings(bootstrap="127.0.0.1:9092").client_kwargs()


def test_the_topic_prefix_is_a_platform_wide_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALINK_TOPIC_PREFIX", "lab-")
    assert KafkaSettings(bootstrap="h:1", security="plaintext").topic("messages") == "lab-messages"
    assert KafkaSettings(bootstrap="h:1", topic_prefix="own-").topic("messages") == "own-messages"


def test_origins_are_a_comma_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALINK_WS_ORIGINS", "http://a.example, https://b.example,")
    assert EdgeSettings.from_env().ws_origins == ("http://a.example", "https://b.example")


def test_limits_are_read_under_their_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALINK_LIMITS_POSTS_PER_SECOND_PER_USER", "10000")
    assert LimitSettings.from_env().posts_per_second_per_user == 10_000


@pytest.mark.parametrize("value", ["0", "-1"])
def test_a_limit_below_one_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALINK_LIMITS_SOCKETS_PER_IP", value)
    with pytest.raises(ConfigurationError, match="SIGNALINK_LIMITS_SOCKETS_PER_IP"):
        LimitSettings.from_env()


def test_empty_values_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALINK_AUTH_KEYS_DIR", "")
    assert AuthSettings.from_env().keys_dir is None


def test_a_node_gets_the_name_of_its_service_unless_it_has_one() -> None:
    assert ProcessSettings(node="").named("api").node == "api-0"
    assert ProcessSettings(node="api-3").named("api").node == "api-3"


def test_a_secret_file_that_is_missing_empty_or_binary_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, why in (("missing", "No such file"), ("empty", "empty"), ("binary", "UTF-8")):
        with pytest.raises(ConfigurationError, match=why) as caught:
            read_secret(tmp_path / name, "Redis")
        assert str(tmp_path / name) in caught.value.detail


def test_every_setting_says_what_it_is() -> None:
    for group in (PostgresSettings, RedisSettings, KafkaSettings, ProcessSettings, AuthSettings, EdgeSettings):
        for name, field in group.model_fields.items():
            assert field.description, f"{group.__name__}.{name}"
