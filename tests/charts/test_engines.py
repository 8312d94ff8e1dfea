"""The configuration of the backing charts is taken by the real servers, and their principals may what they shall.

The servers are those of the packages, not of the images; only ports, folders and addresses differ.
"""

import asyncio
import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis
import yaml
from charting import Rendered, main_container, render
from checklist_renders import TOKENS
from test_server import Cluster, cluster, kubectl, made, there  # noqa: F401 - a fixture
from test_tokens import SECRET as TOKEN_SECRET

from signalink_api.cluster_tokens.keeping import Wanted, ensure
from signalink_core.auth.keys import KeyRing
from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_core.kubernetes import KubernetesApi
from signalink_core.provision import __main__ as provision
from signalink_core.provision import servers
from signalink_core.settings import KafkaSettings
from signalink_stacks.local.engines import KafkaEngine, PostgresEngine, ValkeyEngine, jars
from signalink_stacks.local.engines import kafka as kafka_engine
from signalink_stacks.local.engines.base import clean_environment
from signalink_stacks.local.testing import Database

CLUSTER = re.compile(r"--cluster-id=(\S+)")


def secret_files(rendered: Rendered, folder: Path) -> Path:
    """The words of the chart's Secret, as the pod has them."""
    folder.mkdir()
    for name, data in rendered.one("Secret")["data"].items():
        (folder / name).write_bytes(base64.b64decode(data))
    return folder


class ChartedValkey(ValkeyEngine):
    """Runs by the ConfigMap, with the ACL file that the init container writes."""

    def prepare(self) -> None:
        rendered = render("valkey")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.secrets = secret_files(rendered, self.directory / "secrets")
        init = rendered.one("StatefulSet")["spec"]["template"]["spec"]["initContainers"][0]
        acl = self.directory / "users.acl"
        arguments = [word.replace("/run/valkey/users.acl", str(acl)) for word in init["args"]]
        assert provision.main([*arguments, "--secrets", str(self.secrets)]) == 0
        text = rendered.one("ConfigMap")["data"]["valkey.conf"]
        text = text.replace("port 6379", f"port {self.port}").replace("/run/valkey/users.acl", str(acl))
        (self.directory / "valkey.conf").write_text(text.replace("dir /tmp", f"dir {self.directory}"))


class ChartedKafka(KafkaEngine):
    """Runs by the ConfigMap, formatted as the two init containers do."""

    def prepare(self) -> None:
        rendered = render("kafka")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.secrets = secret_files(rendered, self.directory / "secrets")
        init, formatting = rendered.one("StatefulSet")["spec"]["template"]["spec"]["initContainers"]
        given = self.directory / "given.properties"
        given.write_text(self.here(rendered.one("ConfigMap")["data"]["server.properties"]))
        places = {"/run/kafka": str(self.directory), "/etc/kafka/signalink/server.properties": str(given)}
        arguments = [self.replaced(word, places) for word in init["args"]]
        assert provision.main([*arguments, "--secrets", str(self.secrets)]) == 0
        (file,) = [word for word in formatting["command"] if word.startswith("@")]
        command = [*self._java(), self.replaced(file, places)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, env=clean_environment(), check=False
        )
        assert done.returncode == 0, done.stderr or done.stdout

    def here(self, text: str) -> str:
        """The properties, on this machine's ports and folders."""
        text = re.sub(r"CLIENT://[-.a-z]*:9092", f"CLIENT://127.0.0.1:{self.port}", text)
        return text.replace("127.0.0.1:9093", f"127.0.0.1:{self.controller_port}").replace(
            "/var/lib/kafka/data", str(self.directory / "data")
        )

    @staticmethod
    def replaced(word: str, places: dict[str, str]) -> str:
        for old, new in places.items():
            word = word.replace(old, new)
        return word


@pytest.fixture(scope="module")
def valkey_of_the_chart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChartedValkey]:
    with ChartedValkey(tmp_path_factory.mktemp("charts") / "valkey") as engine:
        yield engine


@pytest.fixture(scope="module")
def kafka_of_the_chart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChartedKafka]:
    kafka_engine.setup()
    assert jars.class_path()
    with ChartedKafka(tmp_path_factory.mktemp("charts") / "kafka") as engine:
        yield engine


def exit_code(command: list[str]) -> int:
    return subprocess.run(command, timeout=10, check=False).returncode


@pytest.mark.engine("valkey")
def test_valkey_runs_by_the_chart_and_knows_its_principals(valkey_of_the_chart: ChartedValkey) -> None:
    engine = valkey_of_the_chart
    word = (engine.secrets / "redis-prober").read_text()
    with redis.Redis(port=engine.port, username="prober", password=word, socket_timeout=5) as client:
        assert client.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.set("signalink:x", "1")
    with redis.Redis(port=engine.port, socket_timeout=5) as nobody, pytest.raises(redis.exceptions.AuthenticationError):
        nobody.ping()
    admin = (engine.secrets / "redis-admin").read_text()
    with redis.Redis(port=engine.port, username="admin", password=admin, socket_timeout=5) as client:
        assert client.config_get("maxmemory")["maxmemory"] == str(256 * 1024 * 1024)
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


@pytest.mark.engine("kafka")
async def test_kafka_runs_by_the_chart_and_its_job_applies_the_rights(kafka_of_the_chart: ChartedKafka) -> None:
    engine = kafka_of_the_chart

    def settings(principal: str) -> KafkaSettings:
        return KafkaSettings(
            bootstrap=f"127.0.0.1:{engine.port}",
            user=principal,
            password_file=engine.secrets / f"kafka-{principal}",
            security="sasl_plaintext",
        )

    await servers.kafka_access(settings("admin"), 60)
    probe = main_container(render("kafka"))["readinessProbe"]["exec"]["command"]
    ready = [word.replace("/9092", f"/{engine.port}") for word in probe]
    assert await asyncio.to_thread(exit_code, ready) == 0
    assert await asyncio.to_thread(exit_code, [word.replace("/9092", "/1") for word in probe]) != 0
    with pytest.raises(DependencyUnavailable, match="ClusterAuthorizationFailed"):
        await servers.kafka_access(settings("relay"), 0)


def test_the_cluster_id_is_legal_and_the_same_for_the_same_release() -> None:
    ids = {CLUSTER.search(render("kafka", release=release).text)[1] for release in ("chat", "other")}  # type: ignore[index]
    assert len(ids) == 2
    assert all(provision.CLUSTER_ID.fullmatch(one) for one in ids)


@pytest.mark.engine("postgres")
async def test_postgres_runs_by_the_charts_settings_and_its_job_makes_the_roles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = render("postgres")
    arguments = [word for word in main_container(rendered)["args"] if "=" in word]
    words = secret_files(rendered, tmp_path / "secrets")
    given = dict(word.split("=", 1) for word in arguments)
    with PostgresEngine(tmp_path / "postgres", durable=False, settings=given) as engine:
        job = rendered.one("Job")["spec"]["template"]["spec"]["containers"][0]
        admin = engine.credentials.path("postgres-admin")
        monkeypatch.setenv("SIGNALINK_POSTGRES_DSN", f"postgresql://postgres@127.0.0.1:{engine.port}/postgres")
        monkeypatch.setenv("SIGNALINK_POSTGRES_PASSWORD_FILE", str(admin))
        assert {item["name"] for item in job["env"]} == {"SIGNALINK_POSTGRES_DSN", "SIGNALINK_POSTGRES_PASSWORD_FILE"}
        await _provision([*job["args"], "--secrets", str(words)])
        word = (words / "postgres-relay").read_text()
        connection = await asyncpg.connect(
            host="127.0.0.1", port=engine.port, user="signalink_relay", password=word, database="signalink", timeout=10
        )
        assert await connection.fetchval("SHOW wal_level") == "logical"
        assert await connection.fetchval("SHOW max_connections") == "200"
        assert await connection.fetchval("SHOW shared_buffers") == "128MB"
        await connection.close()


async def _provision(arguments: list[str]) -> None:
    """In a thread of its own: the command runs a loop."""
    assert await asyncio.to_thread(provision.main, arguments) == 0


def account(namespace: str, folder: Path) -> tuple[str, Path]:
    """Address of the API server, and the chart's service account as a pod sees it."""
    config = yaml.safe_load(
        subprocess.run(
            ["kubectl", "config", "view", "--raw", "--minify"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    )["clusters"][0]["cluster"]
    (folder / "token").write_text(kubectl("create", "token", "chat-api-tokens", f"--namespace={namespace}").stdout)
    (folder / "namespace").write_text(namespace)
    if authority := config.get("certificate-authority"):
        (folder / "ca.crt").write_text(Path(authority).read_text())
    elif data := config.get("certificate-authority-data"):
        (folder / "ca.crt").write_bytes(base64.b64decode(data))
    return config["server"], folder


async def test_on_a_real_api_server_it_fills_its_secret_and_may_no_other(
    cluster: Cluster,  # noqa: F811
    database: Database,
    tmp_path: Path,
) -> None:
    kinds = ("Secret", "ServiceAccount", "Role", "RoleBinding")
    made("apply", "--server-side", "-f", "-", text=there(render("api", TOKENS).of(*kinds), cluster))
    url, folder = account(cluster, tmp_path)
    keys, owner = KeyRing.generate(tmp_path / "keys"), database.settings("owner")
    wanted = Wanted("operator", TOKEN_SECRET, "operator-api-token", 90, "")
    async with KubernetesApi(url, folder) as api:
        assert "holds a new token" in await ensure(api, owner, keys, "signalink", wanted)
        made("apply", "--server-side", "-f", "-", text=there(render("api", TOKENS).of("Secret")[:1], cluster))
        assert "is good" in await ensure(api, owner, keys, "signalink", wanted)
        with pytest.raises(ConfigurationError, match="may not get and patch Secret chat-api-secrets"):
            await ensure(api, owner, keys, "signalink", Wanted("operator", "chat-api-secrets", "k", 90, ""))
    found = json.loads(kubectl("get", "secret", TOKEN_SECRET, f"--namespace={cluster}", "--output=json").stdout)
    assert found["data"].keys() == {"operator-api-token"}
