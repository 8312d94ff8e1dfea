"""What the runs came to, as lines for the terminal and as `docs/recovery.md`.

Owns the tables per row of faults and the list of what these runs do not test.
"""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import schedule
from figures import figures
from stage import READERS, Outcome

from signalink_core.clock import utc_now
from signalink_labs.history import Recovery

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "recovery.md"
NOT_TESTED = (
    "F3's three-broker profile (leader, controller killed): the local target has one broker.",
    "F4's FLUSHALL, full and slow Valkey; F5's `stop -m immediate` and the promotion of a standby.",
    "F6-F18: replicas, partitions, delay and loss on the network, clocks, full disks, stalled readers, poison, "
    "rebalances, a storm of sockets, rolling upgrades, rotation of keys, slow dependencies.",
    "Faults in pairs, and pauses longer than 20 s (the supervisor restarts what answers nothing for 30 s: "
    "`tests/stacks/test_hung.py`).",
    "Consumers of Kafka (analytics, notifications): they die in `make e2e NAME=exactly-once`; B2's lag here is the "
    "relay's.",
    "Edits, deletions and memberships under faults; `send` over the socket: the clients here post over HTTP.",
    "Several machines: one host, one disk, one clock.",
)


@dataclass(frozen=True)
class Run:
    """One seed."""

    seed: int
    outcome: Outcome
    in_flight: list[int]
    strays: dict[str, int]
    """Processes that were restarted without having been killed."""

    @property
    def counted(self) -> int:
        return sum(1 for count in self.in_flight if count >= 1)


def by_row(recoveries: Sequence[Recovery]) -> dict[str, list[Recovery]]:
    """Answer the recoveries by kind of fault: a row of the bounds, with the victim."""
    rows: dict[str, list[Recovery]] = {}
    for recovery in sorted(recoveries, key=lambda one: (schedule.row(one.code, one.node), one.node)):
        rows.setdefault(f"{schedule.row(recovery.code, recovery.node)} | {recovery.node}", []).append(recovery)
    return rows


def told(run: Run) -> Iterator[str]:
    """Yield the figures of one run."""
    report = run.outcome.report
    for name, rows in by_row(report.recoveries).items():
        yield (
            f"{name}: {len(rows)}; ready {figures([r.back for r in rows])}; B1 {figures([r.b1 for r in rows])}; "
            f"B2 {figures([r.b2 for r in rows])} s"
        )
    yield f"restarted without having been killed: {run.strays or 'none'}"
    yield f"attempts without acknowledgement: {report.troubles or 'none'}; Kafka repeats: {report.duplicated:,}"


def write(runs: Sequence[Run]) -> Path:
    """Write docs/recovery.md."""
    PAGE.write_text("\n".join(_page(runs)) + "\n")
    return PAGE.relative_to(ROOT)


def _page(runs: Sequence[Run]) -> Iterator[str]:
    recoveries = [recovery for run in runs for recovery in run.outcome.report.recoveries]
    in_flight = [count for run in runs for count in run.in_flight]
    yield "# Recovery"
    yield ""
    yield (
        "Written by `make e2e NAME=nemesis`; do not edit. Every part of the local target is killed with -9 (by us, or "
        "by itself at a fault point) and paused (SIGSTOP for 5 to 20 s, then SIGCONT) at random moments while real "
        f"texts are posted and {READERS} sockets follow every channel."
    )
    yield ""
    seeds = ", ".join(str(run.seed) for run in runs)
    yield (
        f"{utc_now():%Y-%m-%d}, commit {_commit()}, {os.cpu_count()} cores, seeds {seeds}: {len(recoveries)} faults, "
        f"each with {min(in_flight)} to {max(in_flight)} posts in flight."
    )
    yield ""
    yield from _counts(runs)
    yield ""
    yield from _times(recoveries)
    yield ""
    yield from _failures(runs)
    yield ""
    yield "## Not tested here"
    yield ""
    yield from (f"- {line}" for line in NOT_TESTED)


def _counts(runs: Sequence[Run]) -> Iterator[str]:
    yield "| seed | acknowledged | delivered | duplicated on a socket | repeated in Kafka | findings | fell unasked |"
    yield "|---|---|---|---|---|---|---|"
    for run in runs:
        report = run.outcome.report
        twice = sum(1 for finding in report.findings if finding.verdict == "duplicate")
        yield (
            f"| {run.seed} | {report.acknowledged:,} | {report.delivered:,} | {twice} | {report.duplicated:,} "
            f"| {len(report.findings)} | {sum(run.strays.values())} |"
        )
    yield ""
    yield (
        "Delivered: events on all sockets. A record may be in Kafka twice, since a relay that was killed repeats its "
        "batch; consumers skip it by its seq. Fell unasked: restarts of processes that nobody had killed."
    )


def _times(recoveries: Sequence[Recovery]) -> Iterator[str]:
    yield "## Heal times"
    yield ""
    yield (
        "Seconds, p50 / p95 / max, from the end of the cause: SIGCONT of a pause, the kill itself of a kill (so the "
        "restart is in it). B1: until a post sent after that is acknowledged. B2: until nothing acknowledged is unseen "
        "by a socket and nothing committed waits for the relay, for more than a second."
    )
    yield ""
    yield "| fault | part | times | ready again | B1 | bound | B2 | bound | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, rows in by_row(recoveries).items():
        b1, b2 = schedule.bounds(rows[0].code, rows[0].node)
        kept = all(r.b1 is not None and r.b2 is not None and r.b1 <= b1 and r.b2 <= b2 for r in rows)
        yield (
            f"| {name} | {len(rows)} | {figures([r.back for r in rows])} | {figures([r.b1 for r in rows])} | {b1:g} "
            f"| {figures([r.b2 for r in rows])} | {b2:g} | {'kept' if kept else '**missed**'} |"
        )


def _failures(runs: Sequence[Run]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update(run.outcome.report.troubles)
    yield "## Failed posts say so"
    yield ""
    yield (
        "Attempts that were not acknowledged, by what the client was told. Each was repeated under its client_id. "
        "Every answer had a code, and a Retry-After from 500 on; without an answer stayed only what was sent while "
        "the api itself was down or paused (checked: V10)."
    )
    yield ""
    yield "| answer | attempts |"
    yield "|---|---|"
    yield from (f"| {code} | {count:,} |" for code, count in counts.most_common())


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    return git("rev-parse", "--short=12", "HEAD") + (" with changes" if git("status", "--porcelain", "-uno") else "")
