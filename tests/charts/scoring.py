"""`python tests/charts/scoring.py [all]`: counts what checkov says of each chart, writes the table of charts/README.md.

Needs checkov on PATH. Our rows are counted each time. With `all` the charts of others are fetched by helm and counted
by the same call (`others`); one that cannot be had keeps its last figure and the day of it, and is named.
"""

import functools
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))

import others
import yaml
from charting import ALL, ENGINES, ROOT, UMBRELLA, Object, render
from checklist_renders import TOKENS
from strict import FOREIGN, OURS

README = ROOT / "charts/README.md"
BEGIN, END = "<!-- scores: make charts SCORES=1 -->\n", "<!-- end of scores -->\n"
NOT_OURS = (*FOREIGN, OURS)
SECONDS = 110


@dataclass(frozen=True)
class Score:
    """What checkov counted of one chart: passed, failed, and the ids of what failed with their objects."""

    passed: int
    failed: frozenset[str]


def scanned(chart: str) -> list[Object]:
    """All a chart makes by itself, with the Job of tokens and the exporters too."""
    values = TOKENS | ({"exporter": {"enabled": True}} if chart in ENGINES else {})
    return [one for one in render(chart, values).objects if one["apiVersion"].split("/")[0] not in NOT_OURS]


def checkov(objects: dict[str, list[Object]]) -> dict[str, Score]:
    """Name -> score, of all at once: a start costs seconds. None is skipped."""
    with tempfile.TemporaryDirectory(prefix="signalink-scores-") as folder:
        for name, found in objects.items():
            (Path(folder) / f"{name}.yaml").write_text(yaml.safe_dump_all(found), encoding="utf-8")
        command = ["checkov", "--directory", folder, "--framework", "kubernetes", "--output", "json"]
        command += ["--skip-download", "--compact"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    report = json.loads(done.stdout)
    assert report["summary"]["resource_count"] >= sum(map(len, objects.values())) / 2
    assert report["results"]["skipped_checks"] == []
    passed = dict.fromkeys(objects, 0)
    failed: dict[str, set[str]] = {name: set() for name in objects}
    for check in report["results"]["passed_checks"]:
        passed[Path(check["file_path"]).stem] += 1
    for check in report["results"]["failed_checks"]:
        failed[Path(check["file_path"]).stem].add(f"{check['check_id']} {check['resource']}")
    return {name: Score(passed[name], frozenset(failed[name])) for name in objects}


@functools.cache
def ours() -> dict[str, Score]:
    """Every chart of ours but the umbrella, which is their sum."""
    return checkov({chart: scanned(chart) for chart in ALL if chart != UMBRELLA})


def table() -> str:
    """Best first; ours in bold, counted now."""
    rows = [(f"**signalink {chart}**", score.passed, len(score.failed), "", "") for chart, score in ours().items()]
    rows += [(name, one.passed, one.failed, one.version, _counted(one)) for name, one in others.figures().items()]
    rows.sort(key=lambda row: (-row[1] / (row[1] + row[2]), row[0]))
    lines = ["| chart | version | passed | failed | % | counted |", "|---|---|---|---|---|---|"]
    lines += [f"| {name} | {version} | {good} | {bad} | {100 * good / (good + bad):.1f} | {day or 'now'} |"
              for name, good, bad, version, day in rows]  # fmt: skip
    return "".join(f"{line}\n" for line in lines)


def _counted(figure: others.Figure) -> str:
    return f"{figure.day}, {figure.by}" if figure.by else f"{figure.day} or before, version not written down"


def version() -> str:
    done = subprocess.run(["checkov", "--version"], capture_output=True, text=True, timeout=SECONDS, check=False)
    return f"checkov {done.stdout.strip()}"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def count_others() -> int:
    """How many could not be had."""
    found, missing = others.measured([*others.SOURCES, others.CREATE], checkov, version())
    known = others.figures()
    others.write(known | found)
    for name, figure in found.items():
        say(f"{name} {figure.version}: {figure.passed} passed, {figure.failed} failed")
    for name, why in missing.items():
        say(f"{name} could not be had, its figure of {known[name].day} stays: {why}")
    say(f"{len(found)} charts of others counted, {len(missing)} not to be had")
    return len(missing)


def with_table(text: str) -> str:
    """The README with the table in its place."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    assert found, f"{README} has no place for the scores"
    return f"{before}{BEGIN}{table()}{END}{after}"


def main(arguments: list[str]) -> int:
    if arguments == ["all"]:
        count_others()
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
