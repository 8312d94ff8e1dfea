"""Kafka's jars: each is held against the lock, one process fetches for all, and what is lost is fetched again."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from signalink_stacks.local.engines import EngineFailed, jars

GOOD = b"the right bytes"
DIGEST = hashlib.sha256(GOOD).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "signalink"


class Repository:
    """Answers the next of `contents` each time a jar is resolved and not there."""

    def __init__(self, path: Path, contents: Iterator[bytes]) -> None:
        self.path = path
        self.contents = contents
        self.downloads = 0

    def project(self, group: str, artifact: str) -> Any:
        return SimpleNamespace(at_version=lambda version: SimpleNamespace(artifact=lambda: self))

    def resolve(self) -> Path:
        if not self.path.exists():
            self.downloads += 1
            self.path.write_bytes(next(self.contents))
        return self.path


def test_the_lock_names_kafka_4_4_and_a_sha256_for_every_jar() -> None:
    locked = jars.locked()
    assert len(locked) == 45
    assert {len(digest) for digest in locked.values()} == {64}
    assert jars.kafka_version() == "4.4.0"
    assert "org.slf4j:slf4j-simple:1.7.36" in locked


def test_a_torn_download_is_thrown_away_and_fetched_again(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "a.jar", iter([b"torn", GOOD]))
    assert jars._checked(repository, "g:a:1", DIGEST) == tmp_path / "a.jar"
    assert repository.downloads == 2


def test_a_jar_that_is_never_right_is_refused_and_not_kept(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "a.jar", iter([b"other"] * 9))
    with pytest.raises(EngineFailed, match=r"g:a:1: the download differs from kafka\.lock"):
        jars._checked(repository, "g:a:1", DIGEST)
    assert not (tmp_path / "a.jar").exists()


def test_one_of_many_fetches_and_all_get_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []

    def fetch() -> list[Path]:
        fetched.append(1)
        found = [tmp_path / "a.jar", tmp_path / "b.jar"]
        for path in found:
            path.touch()
        return found

    monkeypatch.setattr(jars, "_fetch", fetch)
    with ThreadPoolExecutor(8) as pool:
        paths = {future.result() for future in [pool.submit(jars.class_path) for _ in range(8)]}
    assert paths == {f"{tmp_path / 'a.jar'}:{tmp_path / 'b.jar'}"}
    assert len(fetched) == 1
    (tmp_path / "b.jar").unlink()
    assert not jars.is_complete()
    jars.class_path()
    assert len(fetched) == 2


def test_the_jvm_cache_is_of_this_jvm_and_this_lock(cache: Path) -> None:
    assert jars.aot_cache().parent == cache
    assert jars.aot_cache() == jars.aot_cache()


def test_only_the_newest_jvm_caches_are_kept(cache: Path) -> None:
    cache.mkdir()
    for number in range(5):
        (cache / f"{number}.aot").touch()
    jars.prune()
    assert len(list(cache.glob("*.aot"))) == jars.KEPT_CACHES
