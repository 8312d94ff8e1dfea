"""`signalink token`: a secret goes to one place, for its owner alone; what is told of it is none."""

import json
import stat
from pathlib import Path

import jwt
import pytest

from signalink_core.auth.keys import KeyRing
from signalink_labs.cli import app
from signalink_stacks.local.state import StateFolder

pytestmark = pytest.mark.engine("postgres")
Captured = pytest.CaptureFixture[str]


def test_a_token_is_issued_listed_and_revoked_while_the_platform_is_down(
    platform: StateFolder, capsys: Captured, tmp_path: Path
) -> None:
    assert app.run(["migrate"]) == 0
    assert app.run(["token", "service", "operator"]) == 64
    assert "no signing key" in capsys.readouterr().err
    KeyRing.generate(platform.secrets.folder("auth-keys"))

    assert app.run(["token", "service", "operator"]) == 0
    shown = capsys.readouterr().out.strip()
    assert jwt.decode(shown, options={"verify_signature": False})["sub"] == "operator"

    out = tmp_path / "token"
    out.write_text("the old one")
    out.chmod(0o644)
    asked = ["token", "service", "operator", "--scope", "channels:admin", "--days", "7", "--out", str(out)]
    assert app.run([*asked, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["file"], document["scopes"], "token" in document) == (str(out), ["channels:admin"], False)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    claims = jwt.decode(out.read_text().strip(), options={"verify_signature": False})
    assert (claims["jti"], claims["exp"] - claims["iat"] <= 7 * 86_400) == (document["id"], True)
    assert app.run(asked) == 0
    told = capsys.readouterr().out
    assert f"{out}: token " in told
    assert out.read_text().strip() not in told

    assert app.run(["token", "list"]) == 0
    assert "3 tokens" in capsys.readouterr().out
    assert app.run(["token", "revoke", "operator", "--keep", document["id"], "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["revoked"]) == 2
    assert app.run(["token", "list", "--json"]) == 0
    tokens = json.loads(capsys.readouterr().out)["tokens"]
    assert {one["id"]: one["state"] for one in tokens}[document["id"]] == "good"
    assert sorted(one["state"] for one in tokens) == ["good", "revoked", "revoked"]
    assert app.run(["token", "revoke", document["id"]]) == 0
    assert "1 tokens" in capsys.readouterr().out
    assert app.run(["token", "revoke", document["id"]]) == 0
    assert "0 tokens" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why", "code"),
    [
        (["token", "service", "Operator"], "no name of a service", 64),
        (["token", "service", "operator", "--scope", "all"], "no scope 'all'", 64),
        (["token", "service", "operator", "--days", "400"], "1 to 365 days", 64),
        (["token", "revoke", "nobody"], "no token 'nobody'", 1),
        (["token", "revoke", "nobody", "--keep", "x"], "'x' is no id of a token", 64),
    ],
)
def test_wrong_use_is_told_with_the_next_step(
    platform: StateFolder, capsys: Captured, arguments: list[str], why: str, code: int
) -> None:
    assert app.run(["migrate"]) == 0
    KeyRing.generate(platform.secrets.folder("auth-keys"))
    assert app.run(arguments) == code
    assert why in capsys.readouterr().err
