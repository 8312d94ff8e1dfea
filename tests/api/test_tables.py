"""The api's tables say what the migrated schema says."""

from typing import Any

import pytest
from sqlalchemy.dialects import postgresql

from signalink_api.tables import metadata
from signalink_stacks.local.testing import Database

TYPES = {"timestamp with time zone": "TIMESTAMP WITH TIME ZONE"}


def spelled(kind: str) -> str:
    """As information_schema names it: every array alike."""
    return "ARRAY" if kind.endswith("[]") else kind


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
async def test_a_table_equals_the_migrated_one(database: Database, table: Any) -> None:
    connection = await database.connect("api")
    rows = await connection.fetch(
        "SELECT column_name, data_type, is_nullable = 'YES' AS nullable FROM information_schema.columns "
        "WHERE table_schema = 'messaging' AND table_name = $1",
        table.name,
    )
    keys = await connection.fetch(
        "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
        "WHERE i.indisprimary AND i.indrelid = $1::regclass",
        f"messaging.{table.name}",
    )
    await connection.close()
    found = {row["column_name"]: (row["data_type"].upper(), row["nullable"]) for row in rows}
    said = {
        column.name: (spelled(column.type.compile(postgresql.dialect()).upper()), bool(column.nullable))
        for column in table.columns
    }
    assert said == found
    assert {column.name for column in table.primary_key} == {row["attname"] for row in keys}
