"""service.toml: good files are read, and each broken one names file, key and what is allowed."""

import copy
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core import manifest
from signalink_core.errors import ConfigurationError
from signalink_core.manifest import ServiceManifest

GOOD = """
name = "analytics"
kind = "consumer"
command = ["python", "-m", "signalink_analytics"]
needs = ["kafka", "postgres"]
consumes = ["messages", "analytics", "presence"]
produces = []
[ports]
http = 8003
metrics = 9103
[health]
live = "/healthz"
ready = "/readyz"
startup_seconds = 20
[database]
schema = "analytics"
migrations = "signalink_analytics.migrations"
[resources]
cpu = "250m"
memory = "256Mi"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "service.toml"
    path.write_text(text)
    return path


def test_a_whole_manifest_is_read(tmp_path: Path) -> None:
    loaded = manifest.load(write(tmp_path, GOOD))
    assert (loaded.name, loaded.kind, loaded.consumes) == (
        "analytics",
        "consumer",
        ("messages", "analytics", "presence"),
    )
    assert loaded.database is not None
    assert loaded.database.schema_ == "analytics"


def test_process_i_adds_ten_times_i_to_both_ports(tmp_path: Path) -> None:
    loaded = manifest.load(write(tmp_path, GOOD))
    assert [loaded.port("http", 0), loaded.port("metrics", 2)] == [8003, 9123]


@pytest.mark.parametrize("package", ["signalink_api", "signalink_relay", "signalink_gateway"])
def test_the_manifest_of_each_service_is_found_and_good(package: str) -> None:
    loaded = manifest.load(manifest.find(package))
    assert f"signalink_{loaded.name}" == package
    assert loaded.command[-1] == package


def test_a_manifest_inside_an_installed_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "signalink_somewhere"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"signalink_somewhere has no service\.toml"):
        manifest.find("signalink_somewhere")
    write(package, GOOD)
    assert manifest.find("signalink_somewhere") == package / "service.toml"
    assert "signalink_somewhere" not in sys.modules


def test_a_package_that_does_not_exist_has_no_manifest() -> None:
    with pytest.raises(ConfigurationError, match="signalink_nowhere"):
        manifest.find("signalink_nowhere")


BROKEN = [
    ('kind = "consumer"', 'kind = "consumers"', ["kind", "'consumers'", "'rest', 'websocket', 'consumer' or 'worker'"]),
    ('kind = "consumer"', "", ["kind: is missing"]),
    ('name = "analytics"', 'name = "Analytics!"', ["name", "'Analytics!'", "must match"]),
    ('needs = ["kafka", "postgres"]', 'needs = ["kafka", "mysql"]', ["needs[1]", "'mysql'", "'postgres', 'redis'"]),
    ('needs = ["kafka", "postgres"]', 'needs = ["kafka", "kafka", "postgres"]', ["needs names something twice"]),
    ('needs = ["kafka", "postgres"]', 'needs = ["postgres"]', ['needs must contain "kafka"']),
    ('needs = ["kafka", "postgres"]', 'needs = ["kafka"]', ['needs must contain "postgres"']),
    ("produces = []", 'optional = ["redis"]', ["optional names redis, which is not in needs"]),
    ("produces = []", 'purpose = "' + "x" * 81 + '"', ["purpose", "80 characters"]),
    ('consumes = ["messages", "analytics", "presence"]', "consumes = []", ["consumes must name a topic"]),
    ("http = 8003", "http = 80030", ["ports.http", "80030", "65535"]),
    ("http = 8003", "http = 9103", ["must differ"]),
    ("http = 8003", "htp = 8003", ["ports.htp", "known here: http, metrics"]),
    ("metrics = 9103", "", ["ports.metrics: is missing"]),
    ('cpu = "250m"', 'cpu = "much"', ["resources.cpu", "'much'"]),
    ('schema = "analytics"', 'schema = "a; drop"', ["database.schema", "'a; drop'"]),
    ('command = ["python", "-m", "signalink_analytics"]', "command = []", ["command"]),
    ('live = "/healthz"', 'live = "healthz"', ["health.live", "'healthz'"]),
    ("[ports]", "[prots]", ["prots", "ports: is missing"]),
    ("[ports]", "[ports", ["is not TOML"]),
]


@pytest.mark.parametrize(("old", "new", "said"), BROKEN)
def test_a_broken_manifest_names_file_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, said: list[str]
) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigurationError) as caught:
        manifest.load(path)
    for part in [str(path), *said]:
        assert part in caught.value.detail
    assert caught.value.next_step


def test_all_faults_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("9103", "0").replace('"250m"', '"x"'))
    with pytest.raises(ConfigurationError, match=r"ports\.metrics.*resources\.cpu"):
        manifest.load(path)


def test_a_rest_service_needs_a_public_port(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace('"consumer"', '"rest"').replace("http = 8003\n", ""))
    with pytest.raises(ConfigurationError, match=r"ports\.http must be set"):
        manifest.load(path)


def test_a_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        manifest.load(tmp_path / "service.toml")
    (tmp_path / "service.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        manifest.load(tmp_path / "service.toml")


def leaves(document: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = [leaf for key, value in document.items() if isinstance(value, dict) for leaf in leaves(value, (*path, key))]
    return [*below, *((*path, key) for key in document)]


PATHS = leaves(tomllib.loads(GOOD))
toml_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.sampled_from(PATHS), toml_values)
def test_any_value_anywhere_is_taken_or_refused_with_a_sentence(path: tuple[str, ...], value: Any) -> None:
    document = copy.deepcopy(tomllib.loads(GOOD))
    table = document
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    try:
        manifest.parse(document, "service.toml")
    except ConfigurationError as error:
        assert error.detail.startswith("service.toml: ")


def test_a_manifest_cannot_be_changed_after_reading(tmp_path: Path) -> None:
    loaded: ServiceManifest = manifest.load(write(tmp_path, GOOD))
    with pytest.raises(ValueError, match="frozen"):
        loaded.name = "other"
