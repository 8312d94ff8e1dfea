"""`signalink get channels`: what is shown of channels, who manages them, and what a wrong slug is answered."""

import json

import pytest

from signalink_core.database import pool
from signalink_core.errors import ConfigurationError
from signalink_core.ids import uuid7
from signalink_labs.cli import app
from signalink_labs.cli import channels as commands
from signalink_stacks.local.state import StateFolder
from signalink_stacks.local.testing import Database

pytestmark = pytest.mark.engine("postgres")
USER = """
INSERT INTO messaging.users (id, username, email, display_name, password_hash)
VALUES ($1, 'ana', 'ana@example.org', 'Ana', '-')
"""
CHANNEL = """
INSERT INTO messaging.channels
    (id, slug, name, kind, history, created_by, epoch, managed_by, also_topic, archived_at, direct_key)
VALUES ($1, $2, coalesce($2, 'direct'), $3, 'all', $4, 1, $5, $6, CASE WHEN $7 THEN clock_timestamp() END,
    CASE $3 WHEN 'direct' THEN 'a:b' END)
"""


async def test_channels_are_listed_with_who_manages_them_and_direct_ones_are_not(database: Database) -> None:
    settings, user, managed = database.settings("owner"), uuid7(), uuid7()
    connection = await pool.connect(settings)
    await connection.execute(USER, user)
    await connection.execute(CHANNEL, managed, "general", "public", user, "default/a/general", "orders", False)
    await connection.execute(CHANNEL, uuid7(), "by-hand", "private", user, None, None, True)
    await connection.execute(CHANNEL, uuid7(), None, "direct", user, None, None, False)
    await connection.execute(
        "INSERT INTO messaging.channel_members (channel_id, user_id, role) VALUES ($1, $2, 'owner')", managed, user
    )
    await connection.close()
    by_hand, general = await commands.listed(settings, [])
    assert general == {
        "slug": "general",
        "id": str(managed),
        "name": "general",
        "visibility": "public",
        "managed_by": "default/a/general",
        "event_topic": "orders",
        "archived": False,
        "members": 1,
    }
    assert [by_hand[key] for key in ("slug", "managed_by", "archived", "members")] == ["by-hand", None, True, 0]
    assert await commands.listed(settings, ["general"]) == [general]
    with pytest.raises(ConfigurationError, match="no channel gone"):
        await commands.listed(settings, ["general", "gone"])
    shown = commands.table([by_hand, general])
    assert [list(column.cells) for column in shown.columns][3] == ["people", "default/a/general"]


def test_a_platform_without_channels_says_so(platform: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["migrate"]) == 0
    capsys.readouterr()
    assert app.run(["get", "channels"]) == 0
    assert capsys.readouterr().out.strip() == "0 channels"
    assert app.run(["get", "channels", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"channels": []}
