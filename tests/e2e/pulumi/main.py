"""`make e2e NAME=pulumi`: the program by the real engine on the cluster of KUBECONFIG: up, drift, kill, destroy.

File backend, a PULUMI_HOME of its own with the plugins of the present one. On a cluster with nodes every pod is waited
for, and the platform must work: a Channel of the operator, the charts' promises, two people who talk. Without nodes
nothing is waited for. SIGNALINK_IMAGES: the tag of our images that the nodes have; SIGNALINK_VALUES: files of chart
values, by comma, as kind/stand-ins.yaml where engines cannot be pulled. What it ran on is printed: an engine and a
provider that are not the genuine ones are not a proof of those.
Without pulumi or KUBECONFIG it is skipped with the reason; SIGNALINK_REQUIRE=pulumi,kube makes that a failure.
"""

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import checks  # noqa: E402
from engine import Engine, Missed, lacking, say  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=("small", "full"), default="full", help="full: the profile standard")
    parser.add_argument("--seed", default="", help="unused: nothing here is left to chance")
    size = parser.parse_args().size
    reason, required = lacking()
    if reason:
        say(f"pulumi: {'FAILED' if required else 'skipped'}: {reason}")
        return 1 if required else 0
    with tempfile.TemporaryDirectory(prefix="signalink-pulumi-") as folder:
        engine = Engine(Path(folder), "small" if size == "small" else "standard")
        try:
            engine.prepare()
            wanted = checks.of(engine)
            for check in wanted:
                began = time.monotonic()
                said = check(engine)
                say(f"  {check.__name__.replace('_', ' ')}: {said} ({time.monotonic() - began:.0f} s)")
        except Missed as missed:
            say(f"pulumi: FAILED: {missed}")
            return 1
        except Exception:
            traceback.print_exc()
            say("pulumi: FAILED: the proof itself broke")
            return 1
        finally:
            engine.clear()
    say(f"pulumi: {len(wanted)} of {len(wanted)} hold on {engine.ground}: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
