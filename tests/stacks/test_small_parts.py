"""Secrets, ports, logs and weights of the local target."""

import os
import socket
from pathlib import Path

from signalink_core import principals
from signalink_stacks.local import logfiles, memory, ports
from signalink_stacks.local.credentials import Credentials, write_private


def test_a_secret_is_made_once_private_and_long(tmp_path: Path) -> None:
    secrets = Credentials(tmp_path / "secrets")
    first = secrets.read("redis-api")
    assert first == Credentials(tmp_path / "secrets").read("redis-api") != secrets.read("redis-relay")
    assert len(first) == 43
    assert secrets.path("redis-api").stat().st_mode & 0o777 == 0o600
    assert secrets.directory.stat().st_mode & 0o777 == 0o700


def test_a_private_file_is_replaced_and_stays_private(tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("old")
    write_private(tmp_path / "conf", "new")
    assert (tmp_path / "conf").read_text() == "new"
    assert (tmp_path / "conf").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]


def test_the_holder_of_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ports.holders()[port].pid == os.getpid()
        assert not ports.is_free(port)
    assert ports.is_free(port)
    assert port not in ports.holders()


def test_a_long_log_is_copied_and_emptied_and_two_old_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "api-0.log"
    with path.open("a") as child:
        for text in ("first", "second", "third"):
            child.write(text)
            child.flush()
            assert logfiles.rotate(path, max_bytes=3)
        child.write("now")
        child.flush()
    assert path.read_text() == "now"
    assert [logfiles.old(path, number).read_text() for number in (1, 2)] == ["third", "second"]
    assert not logfiles.old(path, 3).exists()


def test_a_short_log_and_a_missing_log_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "api-0.log"
    assert not logfiles.rotate(path)
    path.write_text("x")
    assert not logfiles.rotate(path)


def test_the_reason_of_an_end_is_the_process_s_own_last_word_of_this_run(tmp_path: Path) -> None:
    path = tmp_path / "api-0.log"
    assert logfiles.explain(path) == "(no log)"
    path.write_text('{"what": "an older run"}\n')
    start = path.stat().st_size
    assert logfiles.explain(path, start) == "(it logged nothing)"
    with path.open("a") as file:
        file.write('{"event": "hello"}\nTraceback: boom\n')
    assert logfiles.explain(path, start) == '{"event": "hello"}\nTraceback: boom'
    with path.open("a") as file:
        file.write('{"event": "process_failed", "what": "No key.", "next": "make one."}\n{"event": "bye"}\n')
    assert logfiles.explain(path, start) == "No key. Next: make one."


def test_this_process_weighs_something_and_a_dead_one_nothing() -> None:
    weight = memory.of(os.getpid())
    assert 0 < weight.pss <= weight.rss
    assert memory.of_family(2**22 + 1) == memory.Weight()


def test_the_table_of_principals_is_the_design_s() -> None:
    table = principals.PRINCIPALS
    assert table["api"].kafka_acls == ()
    assert {acl.name for acl in table["gateway"].kafka_acls} == {"presence"}
    assert table["operator"].postgres_role is None
    assert table["operator"].redis_acl is None
    assert not [acl for acl in table["analytics"].kafka_acls if "write" in acl.operations and acl.name != "dlq."]


def test_redis_users_begin_with_nobody_and_name_each_principal_once() -> None:
    names = principals.redis_principals()
    lines = principals.redis_users(dict.fromkeys(names, "0" * 64))
    assert lines[0] == "user default off resetchannels -@all"
    assert sorted(line.split()[1] for line in lines[1:]) == sorted(names)
    assert not [line for line in lines[2:] if "+@all" in line or " ~* " in line or "&*" in line]
