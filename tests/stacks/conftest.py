"""A service that is only a manifest and thirty lines: the supervisor must not know the difference."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalink_stacks.local import control
from signalink_stacks.local.state import StateFolder

PROGRAM = """
import http.server, os, sys, pathlib
print("fake says hello", flush=True)
if os.environ.get("SIGNALINK_FAKE_EXIT"):
    sys.exit(int(os.environ["SIGNALINK_FAKE_EXIT"]))
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ok = self.path.partition("?")[0] == "/readyz" and not os.environ.get("SIGNALINK_FAKE_UNREADY")
        self.send_response(200 if ok else 503)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SIGNALINK_METRICS_PORT"])), Answer).serve_forever()
"""
MANIFEST = """
name = "prober"
kind = "worker"
command = ["python", "-m", "signalink_fake"]
needs = ["redis", "kafka"]
[ports]
metrics = 9105
[health]
startup_seconds = 3
[resources]
cpu = "100m"
memory = "64Mi"
"""


@pytest.fixture
def fake_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `signalink_fake` on the path of this process and of its children; its manifest's file."""
    package = tmp_path / "services" / "signalink_fake"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PROGRAM)
    (package / "service.toml").write_text(MANIFEST)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.syspath_prepend(str(package.parent))
    return package / "service.toml"


@pytest.fixture
def engine_dir(engine_folder: Path) -> Iterator[Path]:
    """Space for an engine's data beside that of the session's engines: gone after the test, not kept for three runs."""
    found = Path(tempfile.mkdtemp(dir=engine_folder))
    yield found
    shutil.rmtree(found)


@pytest.fixture
def folder(engine_dir: Path) -> Iterator[StateFolder]:
    """A state folder whose platform, if any, is stopped at the end."""
    found = StateFolder(engine_dir / "state")
    yield found
    if found.found_version() == "1":
        control.down(found)
