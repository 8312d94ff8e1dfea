"""Owns `signalink status`: what runs, how well, how heavy. Exit 0 when all is healthy, 1 otherwise."""

from dataclasses import asdict

from rich.table import Table

from signalink_labs.cli import chosen, output
from signalink_stacks.local import control
from signalink_stacks.local.state import StateFolder

SHOWN_EVENTS = 5


def status(as_json: output.Json = False) -> int:
    """Show each process with health, restarts and memory, then addresses and engine versions."""
    report = control.report(StateFolder())
    if as_json:
        output.document({**asdict(report), "healthy": report.healthy})
    else:
        _print(report)
    return 0 if report.healthy else 1


def _print(report: control.Report) -> None:
    if not report.processes or report.phase in {"down", "failed", "crashed"}:
        output.text(f"Signalink is not running ({report.phase}). Next: `signalink up`")
        if report.only:
            output.text(f"It starts only {', '.join(report.only)}; {chosen.BACK}.")
        return
    since = f"{report.phase} for {report.seconds:.0f} s ({output.duration(report.seconds)})"
    started = "" if report.up_after is None else f", all healthy after {report.up_after:.1f} s"
    output.text(f"Signalink: {since}{started}")
    output.console().print(table(report))
    output.text(f"total PSS {output.megabytes(report.total_pss)} (supervisor included)")
    for name, url in report.urls.items():
        output.text(f"{name:<10} {url}")
    output.text("engines    " + ", ".join(f"{name} {version}" for name, version in report.engines.items()))
    if report.only:
        output.text(f"only       {', '.join(report.only)}, as it was started")
    for name, purpose in report.off.items():
        output.text(f"off        {name}: {purpose}" if purpose else f"off        {name}")
    if report.faults:
        output.text("faults     on")
    for event in report.events[-SHOWN_EVENTS:]:
        output.text(f"event      {event['process']}: {event['what']}")


def table(report: control.Report) -> Table:
    result = Table(box=None, pad_edge=False)
    for heading in ("process", "pid", "health", "restarts", "up", "RSS", "PSS", "ports"):
        result.add_column(heading, justify="right" if heading in {"pid", "restarts", "up", "RSS", "PSS"} else "left")
    for line in report.processes:
        listed = " ".join(f"{name}:{port}" for name, port in line.ports.items())
        health = f"{line.health} ({line.last_exit})" if line.last_exit else line.health
        result.add_row(
            line.name,
            str(line.pid or "-"),
            health,
            str(line.restarts),
            output.duration(line.seconds),
            output.megabytes(line.rss),
            output.megabytes(line.pss),
            listed,
        )
    return result
