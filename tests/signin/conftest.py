"""The role of a process in a test: keys of a stand-in, virtual time, certificates of our own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from authorities import Authority
from standins import Clock, Identity, identity, signed_at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Identity]:
    """This process is a pod whose service account has a role."""
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(key, raising=False)
    with identity(tmp_path) as (found, environment):
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        with signed_at(clock):
            yield found


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)
