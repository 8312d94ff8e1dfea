"""What is committed is what the generator writes; it works on any checkout and says what it cannot read."""

from pathlib import Path

import pytest
from charting import CHARTS, ROOT

from signalink_stacks.charts import __main__ as command_line
from signalink_stacks.charts import composed


def test_every_generated_file_is_committed_as_it_is_generated() -> None:
    assert sorted(command_line.differing(ROOT)) == []


def test_a_changed_file_is_found_and_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("charts", "services", "operator", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name) if name != "charts" else None
    import shutil

    shutil.copytree(CHARTS, tmp_path / "charts")
    (tmp_path / "charts/api/values.yaml").write_text("replicaCount: 9\n")
    assert command_line.main(["--root", str(tmp_path), "check"]) == 1
    assert capsys.readouterr().out == "charts/api/values.yaml\n"
    assert command_line.main(["--root", str(tmp_path), "write"]) == 0
    assert command_line.main(["--root", str(tmp_path), "check"]) == 0


def test_a_folder_that_is_no_checkout_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["--root", str(tmp_path), "check"]) == 64
    assert "pyproject.toml" in capsys.readouterr().err


def test_the_same_key_in_two_concerns_is_refused() -> None:
    fragments = {"a": {"x": {"type": "string"}}, "b": {"x": {"type": "integer"}}}
    with pytest.raises(ValueError, match="x is said twice, the second time by b"):
        composed.compose("t", fragments, ["a", "b"], {}, {})


def test_defaults_follow_the_schema_and_what_has_none_is_left_out() -> None:
    schema = {"properties": {"a": {"properties": {"b": {"default": 1}, "c": {}}}, "d": {"default": []}}}
    assert composed.defaults(schema) == {"a": {"b": 1}, "d": []}
