"""`python tests/charts/scoring.py`: counts what checkov says of each chart and writes the table of charts/README.md.

Needs checkov on PATH. Our rows are counted here; the others were counted once, with their defaults.
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

import yaml
from charting import ALL, ENGINES, ROOT, UMBRELLA, Object, render
from checklist_renders import TOKENS
from strict import FOREIGN, OURS

README = ROOT / "charts/README.md"
BEGIN, END = "<!-- scores: make charts SCORES=1 -->\n", "<!-- end of scores -->\n"
NOT_OURS = (*FOREIGN, OURS)
SECONDS = 110
OTHERS: dict[str, tuple[int, int]] = {
    "strimzi operator": (168, 5),
    "stakater/application": (306, 10),
    "valkey-operator": (124, 5),
    "CloudPirates kafka": (87, 5),
    "CloudPirates redis": (86, 5),
    "CloudNativePG operator": (106, 7),
    "CloudPirates valkey, postgres": (84, 7),
    "valkey-helm": (84, 9),
    "grafana": (94, 11),
    "tempo": (79, 12),
    "otel-collector": (78, 15),
    "podinfo": (75, 15),
    "`helm create`": (75, 17),
}


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
    """Best first; ours in bold."""
    rows = [(f"**signalink {chart}**", score.passed, len(score.failed)) for chart, score in ours().items()]
    rows += [(name, passed, failed) for name, (passed, failed) in OTHERS.items()]
    rows.sort(key=lambda row: (-row[1] / (row[1] + row[2]), row[0]))
    lines = ["| chart | passed | failed | % |", "|---|---|---|---|"]
    lines += [f"| {name} | {good} | {bad} | {100 * good / (good + bad):.1f} |" for name, good, bad in rows]
    return "".join(f"{line}\n" for line in lines)


def with_table(text: str) -> str:
    """The README with the table in its place."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    assert found, f"{README} has no place for the scores"
    return f"{before}{BEGIN}{table()}{END}{after}"


def main() -> int:
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
