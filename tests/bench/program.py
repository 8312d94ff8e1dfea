"""What every benchmark's command line does: sizes, the compiler, the clean-up at a signal, the exit codes.

0: every bar is met. 1: one is missed, or the run is worthless. 2: it cannot run here.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import figures
import machine
from sockets import NoCompiler

Run = Callable[[str, Path], figures.Result]
"""(size, folder for compiled programs) -> the result"""


def main(name: str, run: Run) -> int:
    """Parse, run, print. Only `--size full` writes into docs/."""
    parser = argparse.ArgumentParser(description=f"The benchmark `{name}`.")
    parser.add_argument("--size", choices=("small", "full"), default="full")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    files = machine.more_files()
    figures.say(f"{name}: {machine.described()}; {machine.Cpus.split()}; {files} open files")
    with tempfile.TemporaryDirectory(prefix="signalink-bench-native-") as folder:
        try:
            result = run(chosen.size, Path(folder))
        except NoCompiler as missing:
            figures.say(f"{name}: cannot run: {missing}")
            return 2
    if chosen.size == "small":
        result.notes.append("size small: a self-check of the benchmark, not a measurement; nothing was written")
    return figures.finish(result, write=chosen.size == "full")
