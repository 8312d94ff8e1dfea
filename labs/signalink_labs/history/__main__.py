"""`python -m signalink_labs.history report FILES...` judges a run.

Exit codes: 0 clean, 1 violated, 2 inconclusive, 64 usage.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import orjson

from signalink_labs.history import report
from signalink_labs.history.checker import check_files
from signalink_labs.history.evidence import Demands

USAGE = 64


class _Parser(argparse.ArgumentParser):
    """argparse says 2 for a usage error; 2 means inconclusive here."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer the exit code."""
    parser = _Parser(prog="python -m signalink_labs.history", description="Judge the history of a run.")
    verbs = parser.add_subparsers(dest="verb", required=True, parser_class=_Parser)
    judge = verbs.add_parser("report", help="check history files and print verdict, counter-example and hop")
    judge.add_argument("files", nargs="+", type=Path, metavar="FILES", help="all JSONL files of one run")
    judge.add_argument("--acknowledged", type=int, default=1, help="fewest acknowledged sends (default 1)")
    judge.add_argument("--subscriptions", type=int, default=1, help="fewest (view, channel) pairs (default 1)")
    judge.add_argument("--stores", default="postgres", help="dumps demanded, by comma (default postgres)")
    judge.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    missing = [str(path) for path in chosen.files if not path.is_file()]
    if missing:
        judge.error(f"no such file: {', '.join(missing)}; give the JSONL files that the run's recorders wrote")
    demands = Demands(chosen.acknowledged, tuple(filter(None, chosen.stores.split(","))), chosen.subscriptions)
    result = check_files(chosen.files, demands)
    out = sys.stdout
    if chosen.json:
        out.write(orjson.dumps(report.document(result), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        out.writelines(f"{line}\n" for line in report.text(result))
    return result.exit_code


if __name__ == "__main__":
    sys.exit(main())
