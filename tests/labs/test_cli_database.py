"""Database work by command, on a platform that is down: Postgres is started for the moment and stopped again."""

import asyncio
import json

import pytest

from signalink_core.database import pool
from signalink_labs.cli import app
from signalink_stacks.local import maintenance
from signalink_stacks.local.state import StateFolder

pytestmark = pytest.mark.engine("postgres")
Captured = pytest.CaptureFixture[str]
ADA = "INSERT INTO messaging.users (id, username, email, password_hash) VALUES ($1, 'ada', 'ada@example.org', 'x')"
ADA_ID = "01900000-0000-7000-8000-000000000001"


async def insert_ada(folder: StateFolder) -> None:
    with maintenance.owner(folder) as settings:
        connection = await pool.connect(settings)
        await connection.execute(ADA, ADA_ID)
        await connection.close()


def test_migrate_promote_new_epoch_and_rewind_work_while_the_platform_is_down(
    platform: StateFolder, capsys: Captured
) -> None:
    assert app.run(["migrate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["messaging"]

    assert app.run(["user", "promote", "ada"]) == 1
    assert "no user named 'ada'" in capsys.readouterr().err
    asyncio.run(insert_ada(platform))
    assert app.run(["user", "promote", "ada", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"user": "ada", "role": "admin", "changed": True}
    assert app.run(["user", "promote", "ada"]) == 0
    assert "was an admin already" in capsys.readouterr().out

    assert app.run(["log", "new-epoch", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["epoch"]
    assert app.run(["log", "new-epoch"]) == 0
    assert f"at epoch {first + 1}" in capsys.readouterr().out

    assert app.run(["relay", "rewind", "--to", "start", "--json"]) == 0
    outboxes = json.loads(capsys.readouterr().out)["outboxes"]
    assert outboxes["messaging"] == {"shards": 0, "events": 0}
    assert app.run(["relay", "rewind", "--to", "2026-01-02T03:04"]) == 0
    assert "messaging: 0 shards went back" in capsys.readouterr().out
    assert app.run(["relay", "rewind", "--to", "yesterday"]) == 64
    assert "neither `start` nor a time" in capsys.readouterr().err
    assert not (platform.root / "postgres" / "data" / "postmaster.pid").exists()

    assert app.run(["analytics", "rebuild", "--from", "2026-01-02T03:04Z", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["windows"], done["changed"], done["from"]) == (0, 0, "2026-01-02 00:00:00+00:00")
    assert app.run(["analytics", "rebuild", "--from", "yesterday"]) == 64
    assert "signalink analytics rebuild --from 2026-11-24T05:00Z" in capsys.readouterr().err
    assert app.run(["analytics", "rebuild", "--from", "2999-01-01"]) == 1
    assert "is in the future" in capsys.readouterr().err
