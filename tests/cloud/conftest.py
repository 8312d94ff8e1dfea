"""An AWS account that is none: the server of moto, where the program is on PATH; each test has an empty one.

Results got here are results on a stand-in: no cloud was asked.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from signalink_stacks.cloud.clients import Clients
from signalink_stacks.local.ports import free_port

REGION = "us-east-1"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("moto_server")
    if program is None:
        assert "moto" not in os.environ.get("SIGNALINK_REQUIRE", "").split(","), "moto_server is not on PATH"
        pytest.skip("moto_server is not on PATH")
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    with Path(log).open("wb") as written:
        process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=written, stderr=written)
        address = f"http://127.0.0.1:{port}"
        try:
            answered(process, address)
            yield address
        finally:
            process.kill()
            process.wait()


def answered(process: subprocess.Popen[bytes], address: str) -> None:
    """Until it answers, 30 s at most: each try waits for the connection itself."""
    for _ in range(300):
        assert process.poll() is None, "moto_server ended"
        try:
            httpx.get(f"{address}/moto-api/", timeout=5)
        except httpx.TransportError:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        else:
            return
    raise AssertionError("moto_server does not answer")


@pytest.fixture
def account(server: str, monkeypatch: pytest.MonkeyPatch) -> Clients:
    """Clients of the empty account; the commands find it by the same environment."""
    httpx.post(f"{server}/moto-api/reset", timeout=10).raise_for_status()
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    words = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": REGION}
    for name, value in (words | {"AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": server}).items():
        monkeypatch.setenv(name, value)
    return Clients()
