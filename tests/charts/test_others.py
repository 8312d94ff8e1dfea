"""Charts of others are fetched from where they are and counted like ours; what cannot be had is named."""

import functools
import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import others
import pytest
import scoring
from test_scanners import needs

NOWHERE = "http://127.0.0.1:1"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[str]:
    """A Helm repository with one chart, version 0.1.0, made by `helm create`."""
    needs("helm")
    served = tmp_path / "served"
    served.mkdir()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(served))
    )  # fmt: skip
    url = f"http://127.0.0.1:{server.server_address[1]}"
    for command in (
        ["create", str(tmp_path / "mine")],
        ["package", str(tmp_path / "mine"), "--destination", str(served)],
        ["repo", "index", str(served), "--url", url],
    ):
        subprocess.run(["helm", *command], check=True, capture_output=True, timeout=others.SECONDS)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield url
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_chart_is_fetched_and_counted_and_one_that_is_away_is_named(
    repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("checkov")
    theirs = {"here": others.Source("mine", repository), "away": others.Source("mine", NOWHERE)}
    theirs["kept"] = others.Source("theirs/mine")
    monkeypatch.delenv(others.OCI, raising=False)
    monkeypatch.setattr(others, "SOURCES", theirs)
    found, missing = others.measured(["here", "away", "kept", others.CREATE], scoring.checkov, "checkov x")
    assert found["here"].version == "0.1.0"
    assert (found["here"].passed, found["here"].failed) == (found[others.CREATE].passed, found[others.CREATE].failed)
    assert found["here"].failed > 10
    assert found["here"].by == "checkov x"
    assert list(missing) == ["away", "kept"]
    assert missing["kept"] == "it is in a registry; set SIGNALINK_SCORES_OCI=oci://HOST"
    assert "127.0.0.1:1" in missing["away"]


def test_a_chart_that_does_not_render_is_named_with_helms_words(
    repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = others.Source("mine", repository, ("replicaCount={}", "service.port={"))
    monkeypatch.setattr(others, "SOURCES", {"here": broken})
    found, missing = others.measured(["here"], scoring.checkov, "")
    assert (found, list(missing)) == ({}, ["here"])
    assert missing["here"]


def test_every_chart_of_the_table_has_a_source_and_a_figure_with_its_day() -> None:
    known = others.figures()
    assert known.keys() == {*others.SOURCES, others.CREATE}
    assert all(figure.day for figure in known.values())
    assert all(bool(figure.by) == bool(figure.version or name == others.CREATE) for name, figure in known.items())
