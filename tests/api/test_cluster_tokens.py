"""The Job that keeps a good service token in a Secret: issued once, renewed in time, replaced at a word; real database.

The Kubernetes API is emulated here for one Secret; tests/charts/test_engines.py runs the same on a real one.
"""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from signalink_api import service_tokens
from signalink_api.cluster_tokens import __main__ as command_line
from signalink_api.cluster_tokens.keeping import Wanted, ensure
from signalink_core.auth.keys import KeyRing
from signalink_core.auth.service_tokens import ServiceTokenVerifier
from signalink_core.clock import utc_now
from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_core.kubernetes import KubernetesApi
from signalink_stacks.local.testing import Database

pytestmark = pytest.mark.engine("postgres")
WANTED = Wanted("operator", "chat-operator-api-token", "operator-api-token", 90, "")


class OneSecret:
    """GET and PATCH of one Secret, as an API server answers them."""

    def __init__(self) -> None:
        self.secret: dict[str, Any] = {"metadata": {"name": WANTED.secret, "resourceVersion": "1"}}
        self.refuse = 0
        self.meanwhile: list[dict[str, Any]] = []

    async def serve(self, request: web.Request) -> web.Response:
        if self.refuse:
            return web.json_response({"message": "no"}, status=self.refuse)
        if request.match_info["name"] != self.secret["metadata"]["name"]:
            return web.json_response({}, status=404)
        if request.method == "PATCH":
            if self.meanwhile:
                self.secret = self.meanwhile.pop()
            patch = json.loads(await request.text())
            if patch["metadata"].pop("resourceVersion") != self.secret["metadata"]["resourceVersion"]:
                return web.json_response({}, status=409)
            metadata = self.secret["metadata"] | patch["metadata"]
            metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
            self.secret = {"metadata": metadata, "data": self.secret.get("data", {}) | patch["data"]}
        return web.json_response(self.secret)

    @property
    def token(self) -> str:
        return base64.b64decode(self.secret["data"][WANTED.key]).decode()


@pytest.fixture
async def held() -> AsyncIterator[tuple[OneSecret, str]]:
    """The Secret and the address of its API."""
    secret, application = OneSecret(), web.Application()
    application.router.add_route("*", "/api/v1/namespaces/lab/secrets/{name}", secret.serve)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield secret, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("t\n")
    (tmp_path / "namespace").write_text("lab")
    return tmp_path


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    return KeyRing.generate(tmp_path / "keys")


async def run(database: Database, keys: KeyRing, url: str, account: Path, wanted: Wanted = WANTED) -> str:
    async with KubernetesApi(url, account) as api:
        return await ensure(api, database.settings("owner"), keys, "signalink", wanted)


async def live(database: Database) -> set[str]:
    return {str(one.id) for one in await service_tokens.listed(database.settings("owner")) if one.live}


async def test_an_empty_secret_gets_a_token_that_the_api_takes_and_a_second_run_changes_nothing(
    database: Database, keys: KeyRing, held: tuple[OneSecret, str], account: Path
) -> None:
    secret, url = held
    assert "holds a new token of operator" in await run(database, keys, url, account)
    claims = await ServiceTokenVerifier(keys, "signalink").verify(secret.token)
    assert (claims.name, claims.scopes) == ("operator", {"channels:admin"})
    before = secret.secret
    assert "is good" in await run(database, keys, url, account)
    assert secret.secret == before
    assert await live(database) == {str(claims.id)}


async def test_another_rotation_ends_all_older_tokens_at_once(
    database: Database, keys: KeyRing, held: tuple[OneSecret, str], account: Path
) -> None:
    secret, url = held
    await run(database, keys, url, account)
    first = secret.token
    assert "1 older ones ended" in await run(database, keys, url, account, replace(WANTED, rotation="2"))
    assert secret.token != first
    assert len(await live(database)) == 1
    assert "is good" in await run(database, keys, url, account, replace(WANTED, rotation="2"))


async def test_a_token_with_a_third_of_its_life_is_renewed_and_the_old_one_stays_good(
    database: Database, keys: KeyRing, held: tuple[OneSecret, str], account: Path
) -> None:
    secret, url = held
    await run(database, keys, url, account)
    notes = secret.secret["metadata"]["annotations"]
    notes["signalink.dev/token-expires"] = (utc_now() + timedelta(days=29)).isoformat()
    assert "0 older ones ended" in await run(database, keys, url, account)
    assert len(await live(database)) == 2


@pytest.mark.parametrize("lost", ["row", "key", "data", "note"])
async def test_a_token_that_would_not_be_taken_is_replaced(
    database: Database, keys: KeyRing, held: tuple[OneSecret, str], account: Path, tmp_path: Path, lost: str
) -> None:
    secret, url = held
    await run(database, keys, url, account)
    first = secret.token
    if lost == "row":
        await service_tokens.revoke(database.settings("owner"), "operator")
    elif lost == "key":
        keys = KeyRing.generate(tmp_path / "others")
    elif lost == "data":
        secret.secret["data"][WANTED.key] = "bm9uZQ=="
    else:
        del secret.secret["metadata"]["annotations"]["signalink.dev/token-id"]
    assert "holds a new token" in await run(database, keys, url, account)
    assert secret.token != first


async def test_when_somebody_else_was_faster_theirs_counts_and_ours_is_revoked(
    database: Database, keys: KeyRing, held: tuple[OneSecret, str], account: Path
) -> None:
    secret, url = held
    await run(database, keys, url, account)
    theirs = secret.secret
    secret.secret = {"metadata": {"name": WANTED.secret, "resourceVersion": "1"}}
    secret.meanwhile = [theirs]
    assert "is good" in await run(database, keys, url, account)
    assert len(await live(database)) == 1


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [(403, ConfigurationError, "may not get and patch"), (500, DependencyUnavailable, "Kubernetes answers 500")],
)
async def test_a_refusal_is_told(
    database: Database,
    keys: KeyRing,
    held: tuple[OneSecret, str],
    account: Path,
    status: int,
    error: type[Exception],
    said: str,
) -> None:
    secret, url = held
    secret.refuse = status
    with pytest.raises(error, match=said):
        await run(database, keys, url, account)
    secret.refuse = 0
    with pytest.raises(ConfigurationError, match="There is no Secret other"):
        await run(database, keys, url, account, replace(WANTED, secret="other"))


def test_outside_a_pod_the_command_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for key in ("KUBERNETES_SERVICE_HOST", "SIGNALINK_KUBERNETES_URL", "SIGNALINK_AUTH_KEYS_DIR"):
        monkeypatch.delenv(key, raising=False)
    command = ["--service=operator", "--secret=s", "--key=k"]
    assert command_line.main(command) == 64
    assert "SIGNALINK_AUTH_KEYS_DIR is not set" in capsys.readouterr().err
    monkeypatch.setenv("SIGNALINK_AUTH_KEYS_DIR", str(tmp_path))
    assert command_line.main(command) == 64
    assert "KUBERNETES_SERVICE_HOST is not set" in capsys.readouterr().err
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("SIGNALINK_KUBERNETES_ACCOUNT", str(tmp_path / "nowhere"))
    assert command_line.main(command) == 64
    assert "There is no service account" in capsys.readouterr().err
