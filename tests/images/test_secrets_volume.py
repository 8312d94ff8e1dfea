"""The container that makes secrets: each once, each container's own files for the containers' user, again the same."""

import os
from pathlib import Path

import pytest

from signalink_core import principals
from signalink_core.auth.keys import KeyRing
from signalink_stacks.containers import secrets

CLUSTER = "c2lnbmFsaW5rLWNvbXBvcw"


def run(tmp_path: Path, *given: str, user: int | None = None) -> int:
    options = [f"--for={tmp_path / 'for'}/{each}" for each in given]
    numbers = ["--user", str(os.getuid() if user is None else user), "--cluster-id", CLUSTER]
    return secrets.main(["--all", str(tmp_path / "all"), *numbers, *options])


def test_containers_share_a_secret_and_see_no_other(tmp_path: Path) -> None:
    assert run(tmp_path, "api=postgres-api,auth-secret", "postgres-roles=postgres-admin,postgres-api") == 0
    folder = tmp_path / "for"
    assert {path.name for path in (folder / "api/signalink").iterdir()} == {"postgres-api", "auth-secret"}
    word = (folder / "api/signalink/postgres-api").read_text()
    assert len(word) == 43
    assert (folder / "postgres-roles/signalink/postgres-api").read_text() == word
    assert (folder / "api/signalink/postgres-api").stat().st_mode & 0o777 == 0o600


def test_a_second_run_changes_no_secret(tmp_path: Path) -> None:
    def contents() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in (tmp_path / "for/api").rglob("*") if path.is_file()}

    assert run(tmp_path, "api=postgres-api,auth-keys,auth-secret") == 0
    first = contents()
    assert run(tmp_path, "api=postgres-api,auth-keys,auth-secret") == 0
    assert contents() == first
    assert len(first) == 3


def test_signing_keys_lie_beside_the_secrets_and_can_be_loaded(tmp_path: Path) -> None:
    assert run(tmp_path, "api=auth-keys") == 0
    assert KeyRing.load(tmp_path / "for/api/signalink-auth-keys")


def test_what_engines_need_is_made_from_everybody_s_secrets(tmp_path: Path) -> None:
    assert run(tmp_path, "valkey=users.acl", "kafka=kafka-node", "relay=redis-relay") == 0
    acl = (tmp_path / "for/valkey/signalink/users.acl").read_text()
    assert {f"user {name} on #" for name in principals.redis_principals()} <= {
        line.partition("#")[0] + "#" for line in acl.splitlines()
    }
    assert (tmp_path / "for/relay/signalink/redis-relay").read_text() not in acl
    arguments = (tmp_path / "for/kafka/signalink/format.arguments").read_text()
    assert '"/run/secrets/signalink/server.properties"' in arguments
    assert (
        "advertised.listeners=CLIENT://kafka:9092" in (tmp_path / "for/kafka/signalink/server.properties").read_text()
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_are_the_containers_user_s_and_folders_stay_root_s(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert run(tmp_path, "api=auth-secret,auth-keys", "kafka=kafka-node", user=10001) == 0
    files = [path for path in (tmp_path / "for").rglob("*") if path.is_file()]
    assert len(files) == 4
    assert {path.stat().st_uid for path in files} == {10001}
    assert (tmp_path / "for/api/signalink").stat().st_uid == 0
    assert {path.stat().st_uid for path in (tmp_path / "all").iterdir()} == {0}
    assert secrets.main(["--all", str(tmp_path / "all"), "--own", str(tmp_path / "data")]) == 0
    assert (tmp_path / "data").stat().st_uid == 10001


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "for").write_text("a file")
    assert run(tmp_path, "api=auth-secret") == 1
    assert "secrets: " in capsys.readouterr().err
