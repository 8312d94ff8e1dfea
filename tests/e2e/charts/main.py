"""`make e2e NAME=charts`: every chart rendered in every case and judged by every row; then each row by damaged charts.

Offline. Owns the bar: no finding on whole charts, and each damage found by exactly its row. SIZE=small damages one
place per row, full all. Exit 1 when the bar is missed.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "charts")]

import checklist  # noqa: E402
import checklist_renders  # noqa: E402
from cases import CASES, PAIRS  # noqa: E402
from charting import ALL, render, whole_charts  # noqa: E402
from rig import concluded, say  # noqa: E402
from test_checklist import manifests  # noqa: E402
from test_mutations import DAMAGES, Damage, complaints  # noqa: E402


def findings() -> Iterator[str]:
    """What a row says of a whole chart: nothing, as it should be."""
    for chart, case in PAIRS:
        subject = checklist.Subject(render(chart, CASES[case](chart)), case, manifests())
        for name, row in checklist.ROWS.items():
            yield from (f"{chart} ({case}) {name}: {finding}" for finding in row(subject))
    for chart in ALL:
        for name, judge in checklist_renders.ROWS.items():
            if checklist_renders.applies(name, chart):
                yield from (f"{chart} {name}: {finding}" for finding in judge(chart, render))


def found(damage: Damage) -> bool:
    """Whether exactly its row complains."""
    with tempfile.TemporaryDirectory(prefix="signalink-damage-") as folder:
        chart = Path(shutil.copytree(whole_charts() / damage.chart, Path(folder) / damage.chart))
        file = chart / damage.file
        text = file.read_text(encoding="utf-8")
        assert damage.old in text, f"{damage.file} has no {damage.old!r} to damage"
        file.write_text(text.replace(damage.old, damage.new), encoding="utf-8")
        rows = complaints(chart, damage.values)
    say(f"  {damage.row} in {damage.chart}: found by {', '.join(sorted(rows)) or 'nobody'}")
    return rows == {damage.row}


def program(size: str) -> bool:
    objects = sum(len(render(chart, CASES[case](chart)).objects) for chart, case in PAIRS)
    wrong = list(findings())
    for line in wrong:
        say(f"  {line}")
    say(f"{len(PAIRS)} renderings of {len(ALL)} charts: {objects} objects, {len(wrong)} findings")
    chosen = DAMAGES if size == "full" else list({damage.row: damage for damage in DAMAGES}.values())
    seen = sum(found(damage) for damage in chosen)
    rows = len(checklist.ROWS.keys() | checklist_renders.ROWS.keys())
    good = not wrong and seen == len(chosen)
    say(
        f"charts: {len(wrong)} findings in {objects} objects, {seen} of {len(chosen)} damages found by their row alone "
        f"({rows} rows) (bar: 0 findings, every damage) {'met' if good else 'MISSED'}"
    )
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=["small", "full"], default="full")
    parser.add_argument("--seed", type=int, help="has no meaning here: nothing is drawn")
    chosen = parser.parse_args()
    sys.exit(concluded("charts", lambda: program(chosen.size)))
