"""`signalink up` waits for pods, so it refuses migrations that would come only after them."""

from pathlib import Path

import pytest

from signalink_core.errors import ConfigurationError
from signalink_labs.cli import app
from signalink_stacks.clusters import migrating, run

HOOK = "api: {migrations: {mode: hook}}"


def files(*texts: str) -> dict[str, str]:
    return {f"{number}.yaml": text for number, text in enumerate(texts)}


@pytest.mark.parametrize(
    ("texts", "settings"),
    [
        ([HOOK], []),
        (["api: {migrations: {mode: job}}", HOOK], []),
        ([], ["api.migrations.mode=hook"]),
        (["api: {migrations: {mode: job}}"], ["x=1,api.migrations.mode=hook"]),
        (["analytics: {migrations: {mode: 'off'}}"], ["api.migrations.mode=hook", "relay.replicaCount=2"]),
    ],
)
def test_a_hook_is_refused_by_the_name_of_its_chart(texts: list[str], settings: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"api\.migrations\.mode is hook") as refused:
        migrating.require_jobs(files(*texts), settings)
    assert "without --wait" in str(refused.value.next_step)


@pytest.mark.parametrize(
    ("texts", "settings"),
    [
        ([], []),
        (["", "- no table", "api: text", "api: {migrations: {mode: job}}"], ["a={1,2}"]),
        ([HOOK, "api: {migrations: {mode: job}}"], []),
        ([HOOK], ["api.migrations.mode=off"]),
    ],
)
def test_the_last_word_counts_and_all_else_is_let_through(texts: list[str], settings: list[str]) -> None:
    migrating.require_jobs(files(*texts), settings)


def test_a_file_that_cannot_be_read_as_yaml_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^1\.yaml is no YAML"):
        migrating.require_jobs(files("", "a: [1"), [])


@pytest.mark.parametrize("door", ["helm", "pulumi"])
def test_up_refuses_it_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, door: str
) -> None:
    made: list[object] = []
    monkeypatch.setattr(run, "steps", lambda *given: made.append(given))
    (tmp_path / "values.yaml").write_text(HOOK)
    asked = ["up", "--target", "existing", "--context", "team-a", "--by", door]
    assert app.run([*asked, "--values", str(tmp_path / "values.yaml")]) == 64
    assert "api.migrations.mode is hook" in capsys.readouterr().err
    assert made == []
