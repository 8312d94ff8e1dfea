"""Owns the account of a test run: engines with versions, how many tests used each, every skip with its reason.

A suite (one test module) that needs an engine and ran no test makes the run fail: a skip is never a pass.
`--require-engines postgres,valkey,kafka` also fails a run in which one of them was used by no test at all.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from _pytest.terminal import TerminalReporter

from signalink_stacks.local.engines import Engine, KafkaEngine, PostgresEngine, ValkeyEngine

ENGINES: Final[dict[str, type[Engine]]] = {"postgres": PostgresEngine, "valkey": ValkeyEngine, "kafka": KafkaEngine}
FIXTURES: Final = {
    "postgres": "postgres",
    "database": "postgres",
    "valkey": "valkey",
    "valkey_server": "valkey",
    "kafka": "kafka",
    "topics": "kafka",
}
PROPERTY: Final = "engine"


@dataclass
class Account:
    """What the reports of one run say. Suite: a test module's path."""

    ran: Counter[str] = field(default_factory=Counter)
    demanded: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    served: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    skips: list[tuple[str, str]] = field(default_factory=list)

    def add(self, report: pytest.TestReport) -> None:
        engines = {str(value) for key, value in report.user_properties if key == PROPERTY}
        suite = report.nodeid.partition("::")[0]
        self.demanded[suite] |= engines
        if report.when == "call" and not report.skipped:
            self.served[suite] |= engines
            self.ran.update(engines)
        if report.skipped:
            self.skips.append((report.nodeid, _reason(report)))

    def failures(self, required: list[str]) -> list[str]:
        """Sentences for what makes the run fail."""
        silent = [
            f"{suite} needs {engine} and ran no test on it"
            for suite, engines in sorted(self.demanded.items())
            for engine in sorted(engines - self.served[suite])
        ]
        return silent + [f"{engine} is required and no test used it" for engine in required if not self.ran[engine]]


def engines_of(item: pytest.Item) -> set[str]:
    """From the fixtures a test asks for, and from its marks `engine("postgres", ...)`."""
    marked = {str(name) for mark in item.iter_markers("engine") for name in mark.args}
    fixtures: list[str] = getattr(item, "fixturenames", [])
    return marked | {FIXTURES[name] for name in fixtures if name in FIXTURES}


def account(reporter: TerminalReporter) -> Account:
    result = Account()
    for reports in reporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                result.add(report)
            elif isinstance(report, pytest.CollectReport) and report.skipped:
                _add_uncollected(result, report)
    return result


def _add_uncollected(result: Account, report: pytest.CollectReport) -> None:
    """A module that skips itself while it is collected hides its tests: its text says which engines it needs."""
    result.skips.append((report.nodeid, _reason(report)))
    path = Path(report.nodeid.partition("::")[0])
    text = path.read_text() if path.is_file() else ""
    for engine in ENGINES:
        if f'engine("{engine}"' in text:
            result.demanded[report.nodeid].add(engine)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


def _required(config: pytest.Config) -> list[str]:
    return [name for name in str(config.getoption("--require-engines")).split(",") if name]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-engines", default="", help="comma list; fail when no test used one of these engines")


def pytest_configure(config: pytest.Config) -> None:
    unknown = [name for name in _required(config) if name not in ENGINES]
    if unknown:
        raise pytest.UsageError(f"--require-engines: {', '.join(unknown)} unknown; there are {', '.join(ENGINES)}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.user_properties += [(PROPERTY, engine) for engine in sorted(engines_of(item))]


def _reporter(config: pytest.Config) -> TerminalReporter | None:
    plugin = config.pluginmanager.get_plugin("terminalreporter")
    return plugin if isinstance(plugin, TerminalReporter) else None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = _reporter(session.config)
    if reporter is None or hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    if session.exitstatus == pytest.ExitCode.OK and account(reporter).failures(_required(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    if config.option.collectonly:
        return
    result = account(terminalreporter)
    terminalreporter.section("engines")
    for name, engine in ENGINES.items():
        used = result.ran[name]
        terminalreporter.write_line(f"{name} {engine.version() if used else '-'}: {used} tests")
    for nodeid, reason in result.skips:
        terminalreporter.write_line(f"skipped {nodeid}: {reason}")
    for failure in result.failures(_required(config)):
        terminalreporter.write_line(f"FAILED: {failure}", red=True)
