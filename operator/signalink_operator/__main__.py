"""`python -m signalink_operator`: the operator, until SIGTERM. `... apply [-f FILE ...]`: one pass without Kubernetes.

apply prints one line per topic; exit 0 when every topic is as its manifest says, 1 when one is not, 64 when the
manifests or the settings are wrong. It imports nothing that talks to Kubernetes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from signalink_core.errors import ConfigurationError
from signalink_core.settings import KafkaSettings
from signalink_operator import apply, settings
from signalink_operator.adapters import kafka, manifests

EXIT_NOT_READY = 1
EXIT_USAGE = 64


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n{self.format_usage()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the operator, or apply and print one line per topic; the answer is the exit code."""
    options = _options(arguments)
    if options.command != "apply":
        from signalink_core import process
        from signalink_operator import app

        process.run(app.main, service=settings.SERVICE)
    try:
        desired = manifests.load(options.file or [manifests.SHIPPED])
        deadlines = settings.Deadlines(call_seconds=options.timeout)
        results = apply.run(desired, kafka.KafkaTopics(KafkaSettings.from_env(), deadlines))
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return EXIT_USAGE
    for result in results:
        print(result, flush=True)  # noqa: T201
    return EXIT_NOT_READY if any(result.outcome == "refused" for result in results) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="signalink_operator", description="Bring Kafka topics to what Topic manifests say.")
    commands = parser.add_subparsers(dest="command", parser_class=_Parser)
    commands.add_parser("run", help="keep the resources of a Kubernetes cluster true (what is done without a command)")
    command = commands.add_parser("apply", help="apply Topic manifests once, without Kubernetes")
    command.add_argument("-f", "--file", type=Path, action="append", help="manifest file or folder (default: shipped)")
    command.add_argument(
        "--timeout", type=float, default=settings.CALL_SECONDS, metavar="SECONDS", help="deadline of one admin call"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
