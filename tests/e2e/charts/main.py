"""`make e2e NAME=charts`: every chart rendered in every case and judged by every row; then each row by damaged charts.

Then every rendering, ha and external ones too, by kubernetes-validate (oldest and newest version), kubeconform,
kube-linter and Polaris; each must find a fault planted in each rendering. What is not installed is skipped in print
(SIGNALINK_REQUIRE=scan: kubeconform, =lint: the other two).

Offline. Owns the bar: no finding on whole charts, and each damage found by exactly its row. SIZE=small damages one
place per row, full all. Exit 1 when the bar is missed.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "charts")]

import checklist  # noqa: E402
import checklist_renders  # noqa: E402
import linting  # noqa: E402
import strict  # noqa: E402
from cases import CASES, PAIRS, RENDERS  # noqa: E402
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


def validated() -> Iterator[str]:
    """What two validators say of every rendering, a line each with its count; a missed planted fault is a finding."""
    conform = strict.conformities() if shutil.which("kubeconform") else None
    for chart, case in RENDERS:
        objects = strict.known(chart, case)
        found = [
            f"kubernetes-validate {version}: {name}: {text}"
            for version in (strict.OLDEST, strict.NEWEST)
            for name, text in strict.wrong(version, objects).items()
        ]
        planted = strict.damaged(objects)
        found += ["kubernetes-validate misses what was planted"] if not strict.verdict(strict.NEWEST, planted) else []
        said = "kubeconform not run"
        if conform is not None:
            whole, damaged = conform[chart, case], conform[f"{strict.PLANTED}/{chart}", case]
            found += [f"kubeconform: {fault}" for fault in whole.faults]
            found += ["kubeconform misses what was planted"] if damaged.valid or not damaged.faults else []
            found += ["kubeconform did not see all"] if whole.valid + len(whole.faults) != len(objects) else []
            said = f"kubeconform {whole.valid} valid"
        missed = any("misses" in one for one in found)
        say(
            f"  {chart} ({case}): {len(objects)} objects, {said}, {len(found)} findings, "
            f"planted fault {'MISSED' if missed else 'found'}"
        )
        yield from (f"{chart} ({case}) {one}" for one in found)
    if conform is None:
        yield from skipped("kubeconform", "scan")


def skipped(name: str, group: str) -> Iterator[str]:
    """Says so; a finding where the group is required."""
    say(f"  {name}: not run, it is not on PATH" + (" (make linters brings it)" if group == "lint" else ""))
    if group in os.environ.get("SIGNALINK_REQUIRE", "").split(","):
        yield f"SIGNALINK_REQUIRE names {group}, but there is no {name}"


def linted() -> Iterator[str]:
    for name in linting.LINTERS:
        if linting.program(name) is None:
            yield from skipped(name, "lint")
            continue
        count, found = linting.every(name)
        say(f"  {name}: {count} objects in {len(RENDERS)} renderings, {len(found)} findings")
        yield from found


def program(size: str) -> bool:
    objects = sum(len(render(chart, CASES[case](chart)).objects) for chart, case in PAIRS)
    wrong = [*findings(), *validated(), *linted()]
    for line in wrong:
        say(f"  {line}")
    say(f"{len(PAIRS)} renderings of {len(ALL)} charts: {objects} objects, {len(wrong)} findings")
    strictly = sum(len(strict.known(chart, case)) for chart, case in RENDERS)
    chosen = DAMAGES if size == "full" else list({damage.row: damage for damage in DAMAGES}.values())
    seen = sum(found(damage) for damage in chosen)
    rows = len(checklist.ROWS.keys() | checklist_renders.ROWS.keys())
    good = not wrong and seen == len(chosen)
    say(
        f"charts: {len(wrong)} findings in {objects} objects ({strictly} in {len(RENDERS)} renderings strictly), "
        f"{seen} of {len(chosen)} damages found by their row alone ({rows} rows) "
        f"(bar: 0 findings, every damage) {'met' if good else 'MISSED'}"
    )
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=["small", "full"], default="full")
    parser.add_argument("--seed", type=int, help="has no meaning here: nothing is drawn")
    chosen = parser.parse_args()
    sys.exit(concluded("charts", lambda: program(chosen.size)))
