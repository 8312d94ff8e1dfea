"""Tokens of a role: as AWS's own library makes them, kept and renewed by the clock, off the loop, from one address."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from urllib.parse import parse_qs, urlsplit

import botocore.session
import pytest
from standins import LOOPBACK, REGION, Clock, Identity

from signalink_core.errors import ConfigurationError
from signalink_core.settings import KafkaSettings, PostgresSettings, RedisSettings
from signalink_core.signin import aws
from signalink_core.signin.tokens import SignInFailed, Tokens
from signalink_core.testing import eventually

HOST, PORT, USER = "db.abc.eu-central-1.rds.amazonaws.com", 5432, "signalink_api"
WATCHED = """
import json, sys
seen = set()
def hook(name, arguments):
    if name == "socket.connect":
        seen.add(str(arguments[1]))
    if name == "socket.getaddrinfo":
        seen.add(str(arguments[0]))
sys.addaudithook(hook)
from signalink_core.signin import aws
role = aws.Role()
for sign in (role.postgres("db.example.org", 5432, "u", "eu-central-1"), role.redis("c", "u", "eu-central-1"),
             role.kafka("eu-central-1")):
    assert sign()[0] and sign()[0]
print(json.dumps(sorted(seen)))
"""


async def test_a_token_is_kept_until_a_minute_before_it_ends_and_signed_in_a_thread_of_its_own() -> None:
    clock, threads = Clock(), []

    def sign() -> tuple[str, float]:
        threads.append(threading.current_thread().name)
        return f"t{len(threads)}", clock.now + 900

    tokens = Tokens(sign, clock)
    assert await asyncio.gather(*(tokens.token() for _ in range(5))) == ["t1"] * 5
    clock.now += 839
    assert await tokens.token() == "t1"
    clock.now += 2
    assert await tokens.token() == "t2"
    assert {name.rpartition("_")[0] for name in threads} == {"signin"}


def test_tokens_serve_one_event_loop_after_another() -> None:
    tokens = Tokens(lambda: ("t", float("inf")))
    assert [asyncio.run(tokens.token()) for _ in range(2)] == ["t", "t"]


async def test_a_token_for_postgres_is_what_awss_own_client_makes(pod: Identity, clock: Clock) -> None:
    ours = await aws.postgres(HOST, PORT, USER, REGION).token()
    client = botocore.session.Session().create_client("rds", region_name=REGION)
    assert ours == client.generate_db_auth_token(HOST, PORT, USER)
    clock.now += 60
    assert ours != client.generate_db_auth_token(HOST, PORT, USER), "another moment, another token"


async def test_a_token_for_valkey_names_cache_user_and_action_and_lives_a_quarter_of_an_hour(pod: Identity) -> None:
    token = await aws.redis("Lab-Redis", "lab-gateway", REGION).token()
    assert token.startswith("lab-redis/?Action=connect&User=lab-gateway&")
    query = {key: value for key, (value,) in parse_qs(urlsplit(f"https://{token}").query).items()}
    assert query["X-Amz-Expires"] == "900"
    assert query["X-Amz-Credential"].endswith(f"/{REGION}/elasticache/aws4_request")
    assert query["X-Amz-Security-Token"] == pod.keys["Token"]
    assert token == again("https://lab-redis/?Action=connect&User=lab-gateway", "elasticache", pod)


def again(url: str, service: str, pod: Identity) -> str:
    """The signature computed anew, with the library's signer of requests and nothing of ours."""
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    keys = Credentials(pod.keys["AccessKeyId"], pod.keys["SecretAccessKey"], pod.keys["Token"])
    request = AWSRequest(method="GET", url=url, data=b"")
    SigV4QueryAuth(keys, service, REGION, expires=900).add_auth(request)
    return str(request.url).removeprefix("https://")


async def test_a_token_for_kafka_is_of_the_same_role_and_its_keys_are_asked_for_once(pod: Identity) -> None:
    import base64

    token = await KafkaSettings(
        bootstrap="b:9098", security="aws_msk_iam", aws_region=REGION
    ).client_kwargs()["sasl_oauth_token_provider"].token()  # fmt: skip
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert parse_qs(urlsplit(url).query)["Action"] == ["kafka-cluster:Connect"]
    assert "ASIASTANDIN" in url
    await aws.postgres(HOST, PORT, USER, REGION).token()
    await aws.redis("c", "u", REGION).token()
    assert pod.asked == 1


async def test_the_loop_goes_on_while_the_identity_does_not_answer(pod: Identity) -> None:
    pod.open.clear()
    waiting = asyncio.create_task(aws.postgres(HOST, PORT, USER, REGION).token())
    await eventually(lambda: pod.asked)
    pod.open.set()
    assert await waiting


async def test_an_identity_that_refuses_is_said_and_looks_like_a_server_that_does_not_answer(pod: Identity) -> None:
    pod.refuses = True
    with pytest.raises(SignInFailed, match="gave no keys") as failed:
        await aws.postgres(HOST, PORT, USER, REGION).token()
    assert isinstance(failed.value, OSError)
    pod.refuses = False
    assert await aws.postgres(HOST, PORT, USER, REGION).token(), "the next one asks again"


def test_signing_speaks_to_the_pods_identity_and_to_nobody_else(pod: Identity) -> None:
    ran = subprocess.run([sys.executable, "-c", WATCHED], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    port = int(urlsplit(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]).port or 0)
    assert set(json.loads(ran.stdout)) <= {LOOPBACK, str((LOOPBACK, port))}
    assert pod.asked == 1


IAM = {"auth": "iam"}
POSTGRES = {"dsn": "postgresql://u@h/d", "tls": "on", "aws_region": REGION} | IAM
REDIS = {"url": "rediss://u@h:6379/0", "cache": "lab-redis", "aws_region": REGION} | IAM


@pytest.mark.parametrize(
    ("settings", "left_out", "said", "fix"),
    [
        (PostgresSettings(**POSTGRES | {"tls": "off"}), "", "TLS is off", "SIGNALINK_POSTGRES_TLS=on"),
        (PostgresSettings(**POSTGRES | {"aws_region": ""}), "", "region is missing", "SIGNALINK_POSTGRES_AWS_REGION"),
        (RedisSettings(**REDIS | {"url": "redis://u@h:6379/0"}), "", "TLS is off", "rediss://"),
        (RedisSettings(**REDIS | {"aws_region": ""}), "", "region is missing", "SIGNALINK_REDIS_AWS_REGION"),
        (RedisSettings(**REDIS | {"cache": ""}), "", "name of the cache", "SIGNALINK_REDIS_CACHE"),
        (PostgresSettings(**POSTGRES), "botocore", "not installed", "signalink[aws]"),
        (RedisSettings(**REDIS), "botocore", "not installed", "signalink[aws]"),
    ],
)
def test_what_is_missing_is_said_when_the_process_starts(
    settings: PostgresSettings | RedisSettings,
    left_out: str,
    said: str,
    fix: str,
    pod: Identity,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if left_out:
        for name in (left_out, f"{left_out}.model", f"{left_out}.exceptions"):
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match=said) as refused:
        settings.connect_kwargs() if isinstance(settings, PostgresSettings) else settings.client()
    assert fix in str(refused.value.next_step)
