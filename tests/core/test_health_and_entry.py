"""What an image brings along: the question after its health, and the script that starts its service."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from signalink_core import entry, health


class Answers(BaseHTTPRequestHandler):
    """A process that is ready at /readyz and not well elsewhere."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 503)
        self.end_headers()
        self.wfile.write(b'{"ready":true}')

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
        return


@pytest.fixture
def port() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield str(server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


def test_health_is_what_the_process_answers(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    environment = {"SIGNALINK_METRICS_PORT": port}
    assert health.main([], environment) == 0
    assert 'ready":true' in capsys.readouterr().out
    assert health.main(["/healthz"], environment) == 1


def test_nobody_there_is_not_healthy_and_no_port_is_not_configured(port: str) -> None:
    assert health.main([], {"SIGNALINK_METRICS_PORT": "1"}) == 1
    assert health.main([], {}) == 64
    assert health.main(["readyz"], {"SIGNALINK_METRICS_PORT": port}) == 64


def test_asking_imports_nothing_but_the_standard_library() -> None:
    program = "import sys; import signalink_core.health; print(sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert not {"pydantic", "structlog", "orjson"} & set(eval(ran.stdout))  # noqa: S307 - our own output


def test_the_script_becomes_the_service_and_passes_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "PYTHON", sys.executable)
    path = tmp_path / "start"
    path.write_text(entry.script(["python", "-c", "import os, sys; print(os.getppid(), sys.argv[1:])"]))
    path.chmod(0o755)
    ran = subprocess.run([path, "a b", "*"], capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout.split(maxsplit=1) == [str(os.getpid()), "['a b', '*']\n"]


def test_the_script_of_a_service_is_its_manifest_s_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["api"]) == 0
    assert capsys.readouterr().out == '#!/bin/sh\nexec /app/bin/python -m signalink_api "$@"\n'
    assert entry.main(["nobody"]) == 64
    assert entry.main([]) == 64
