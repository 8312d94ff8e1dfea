"""Least privilege on Postgres: the whole matrix of roles, tables and operations, allowed and denied."""

from typing import Any

import asyncpg
import pytest

TABLES = {
    "users": "api:rwu",
    "sessions": "api:rwu",
    "revocations": "api:rw gateway:r analytics:r notifications:r",
    "audit_log": "api:rw",
    "channels": "api:rwu gateway:r retention:r",
    "channel_members": "api:rwud gateway:r",
    "memberships": "api:rwu gateway:r",
    "messages": "api:rwu",
    "message_revisions": "api:rwud",
    "events": "api:rw relay:r retention:rd prober:r",
    "event_feed": "api:r gateway:r analytics:r prober:r",
    "topic_cursors": "api:rwu relay:rud retention:r prober:r",
    "relay_cursors": "relay:ru retention:r prober:r",
    "log_state": "api:r relay:r prober:r",
    "devices": "api:rwud",
    "contacts": "notifications:r",
    "actors": "analytics:r notifications:r",
    "channel_people": "analytics:r notifications:r",
    "channel_kinds": "analytics:r notifications:r",
    "message_authors": "notifications:r",
    "message_texts": "notifications:r",
    "push_devices": "notifications:r",
    "fact_feed": "analytics:r",
    "figure_feed": "analytics:r",
    "unread_counts": "api:r",
    "blocks": "api:rwd",
    "service_tokens": "api:r",
    "entitlements": "notifications:r",
    "earlier_texts": "notifications:r",
    "blocked_people": "notifications:r",
    "alembic_version": "",
}
ROLES = ("api", "relay", "gateway", "retention", "analytics", "notifications", "prober")
PRIVILEGES = {"r": "SELECT", "w": "INSERT", "u": "UPDATE", "d": "DELETE", "t": "TRUNCATE"}


async def test_every_table_has_exactly_the_rights_of_the_matrix(world: Any) -> None:
    relations = await world.admin.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'messaging'::regnamespace AND relkind IN ('r', 'v', 'p')"
    )
    assert {row["relname"] for row in relations} == set(TABLES)
    for table, grants in TABLES.items():
        allowed = dict(part.split(":") for part in grants.split())
        for role in ROLES:
            for letter, privilege in PRIVILEGES.items():
                has = await world.admin.fetchval(
                    "SELECT has_table_privilege($1, $2, $3)", f"signalink_{role}", f"messaging.{table}", privilege
                )
                assert has == (letter in allowed.get(role, "")), f"{role} {privilege} {table}"


async def test_functions_belong_to_the_api_alone_except_the_log_care_of_others(world: Any) -> None:
    functions = await world.admin.fetch(
        "SELECT oid::regprocedure::text AS name FROM pg_proc WHERE pronamespace = 'messaging'::regnamespace"
    )
    shared = {
        "relay": {"current_epoch()", "server_timeline()", "server_system_id()"},
        "retention": {"delete_events(uuid,bigint)", "lock_channels(uuid[],boolean)"},
        "gateway": set(),
        "analytics": set(),
        "notifications": {"delete_device(text,text)"},
        "prober": set(),
    }
    owners_only = {"new_epoch()", "delete_events(uuid,bigint)", "delete_device(text,text)"}
    assert len(functions) > 25
    for row in functions:
        short = row["name"].removeprefix("messaging.")
        for role, names in shared.items():
            assert await _executes(world, role, row["name"]) == (short in names), f"{role} {short}"
        assert await _executes(world, "api", row["name"]) == (short not in owners_only), short


async def _executes(world: Any, role: str, function: str) -> bool:
    found: bool = await world.admin.fetchval(
        "SELECT has_function_privilege($1, $2, 'EXECUTE')", f"signalink_{role}", function
    )
    return found


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("api", "DELETE FROM messaging.events"),
        ("api", "UPDATE messaging.events SET seq = seq"),
        ("api", "SELECT messaging.new_epoch()"),
        ("api", "CREATE TABLE messaging.mine (x int)"),
        ("api", "CREATE TABLE public.mine (x int)"),
        ("relay", "SELECT * FROM messaging.messages"),
        ("relay", "INSERT INTO messaging.relay_cursors (shard) VALUES (1)"),
        ("gateway", "SELECT * FROM messaging.events"),
        ("gateway", "SELECT * FROM messaging.users"),
        ("gateway", "UPDATE messaging.channels SET name = 'x'"),
        ("gateway", "CREATE TEMP TABLE mine (x int)"),
        ("analytics", "SELECT * FROM messaging.messages"),
        ("analytics", "SELECT * FROM messaging.contacts"),
        ("notifications", "SELECT * FROM messaging.users"),
        ("notifications", "DELETE FROM messaging.devices"),
        ("notifications", "SELECT * FROM messaging.users"),
        ("prober", "SELECT * FROM messaging.messages"),
    ],
)
async def test_a_real_server_refuses_what_is_not_in_the_matrix(world: Any, role: str, statement: str) -> None:
    connection = await world.database.connect(role)
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)):
        await connection.execute(statement)
    await connection.close()


async def test_roles_have_their_time_outs_and_isolation(world: Any) -> None:
    for role in ("api", "relay", "gateway"):
        connection = await world.database.connect(role)
        shown = [
            await connection.fetchval(f"SHOW {name}")
            for name in (
                "statement_timeout",
                "transaction_timeout",
                "idle_in_transaction_session_timeout",
                "lock_timeout",
                "default_transaction_isolation",
                "default_transaction_read_only",
            )
        ]
        assert shown == ["5s", "5s", "5s", "2s", "read committed", "on" if role == "gateway" else "off"]
        await connection.close()


async def test_no_role_of_ours_is_more_than_it_must_be_and_passwords_are_scram_verifiers(world: Any) -> None:
    roles = await world.admin.fetch("SELECT * FROM pg_authid WHERE rolname LIKE 'signalink_%'")
    assert len(roles) >= 5
    for row in roles:
        powers = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")
        assert not any(row[power] for power in powers), row["rolname"]
        assert row["rolcanlogin"] == (row["rolname"] != "signalink_retention")
        assert not row["rolcanlogin"] or row["rolpassword"].startswith("SCRAM-SHA-256$4096:")


async def test_nobody_else_connects_to_the_database(world: Any) -> None:
    await world.admin.execute("CREATE ROLE stranger_of_test LOGIN")
    allowed = await world.admin.fetchval(
        "SELECT has_database_privilege('stranger_of_test', current_database(), 'CONNECT')"
    )
    await world.admin.execute("DROP ROLE stranger_of_test")
    assert allowed is False
