"""`make bench NAME=history`: the checker on a history of a million operations, side by side with a tenth of it.

The history comes from the model, so it must be judged clean. Exits 1 when the bar is missed.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from signalink_labs.history.checker import check_files
from signalink_labs.history.evidence import Demands
from signalink_labs.history.proof.model import Model, sources

BAR_SECONDS = 30.0
DEMANDS = Demands(acknowledged=1_000, stores=("postgres", "kafka"))


def written(folder: Path, *, operations: int, seed: int) -> list[Path]:
    """Write a clean history of at least that many operations (posts, deliveries and dumped rows)."""
    folder.mkdir()
    # 3 steps of 4 make an event: one operation, 8 deliveries and two dumped rows, and resumes of 200 channels at a time
    model = Model(seed, steps=operations // 25, channels=200, users=50, views=8)
    for source in sources(model.files):
        (folder / f"{source.name}.jsonl").write_bytes(b"".join(source.raw))
    return sorted(folder.iterdir())


def measured(folder: Path, *, operations: int, seed: int) -> tuple[int, float, bool]:
    """Answer (operations, seconds, clean) of one judgement."""
    paths = written(folder, operations=operations, seed=seed)
    began = time.perf_counter()
    report = check_files(paths, DEMANDS)
    seconds = time.perf_counter() - began
    done = report.lines - report.acknowledged  # an invoke and its answer are one operation
    print(f"{done:>10,} operations ({report.lines:,} lines, {report.delivered:,} delivered): {seconds:.2f} s")  # noqa: T201
    return done, seconds, report.exit_code == 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured(Path(folder) / "tenth", operations=chosen.operations // 10, seed=chosen.seed)
        done, seconds, clean = measured(Path(folder) / "whole", operations=chosen.operations, seed=chosen.seed)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    ok = clean and done >= chosen.operations and seconds < BAR_SECONDS
    verdict = "ok" if ok else "missed"
    print(f"peak memory with the model {memory} MB; judged {'clean' if clean else 'NOT clean'}")  # noqa: T201
    print(f"history: {seconds:.1f} s for {done:,} operations (bar < {BAR_SECONDS:.0f} s) {verdict}")  # noqa: T201
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
