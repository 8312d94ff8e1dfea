"""`make e2e NAME=graph`: the graph of every stack recorded and judged, without engine, plugin, cluster, cloud.

Runs tests/graph in .venv-stacks, where Pulumi is: parents, providers, order, secrets, tags, Bindings, policies.
Exit 1 when a test fails, or when so few ran that something was left out.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-stacks/bin/python"
FEWEST = 270


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=("small", "full"), default="full", help="both do the same")
    parser.add_argument("--seed", default="", help="unused: nothing here is left to chance")
    parser.parse_args()
    command = [str(PYTHON), "-m", "pytest", "-c", "tests/graph/pytest.ini", "-q", "-n", "2", "tests/graph"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    lines = (ran.stdout + ran.stderr).splitlines()
    for line in lines:
        if line.startswith(("E  ", "FAILED", "ERROR")):
            sys.stdout.write(f"{line}\n")
    closing = next((line for line in reversed(lines) if " in " in line and re.search(r"passed|failed|error", line)), "")
    passed = int((re.search(r"(\d+) passed", closing) or ["", "0"])[1])
    good = ran.returncode == 0 and passed >= FEWEST
    sys.stdout.write(f"graph: {closing or 'nothing ran'}; at least {FEWEST} must pass: {'ok' if good else 'FAILED'}\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
