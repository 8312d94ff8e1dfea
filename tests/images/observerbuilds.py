"""Builds stand-ins for the official images of what watches (observers/README.md), from programs that are on PATH.

`python tests/images/observerbuilds.py --service-image signalink/prober:TAG [--base IMAGE]` builds what it can and names
what it cannot: signalink-test/prometheus, alertmanager, otel-collector, jaeger from the servers themselves, and
signalink-test/postgres-exporter, redis-exporter and kafka-exporter, which stand in for programs of others.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from signalink_stacks.lib import images

HERE = Path(__file__).parent / "observers"
SERVERS = {"prometheus": "prometheus", "alertmanager": "alertmanager", "otel-collector": "otelcol", "jaeger": "jaeger"}
"""Image of charts/images.yaml -> its program."""
EXPORTERS = {"postgres-exporter": "postgres", "redis-exporter": "redis", "kafka-exporter": "kafka"}
SECONDS = 600


def reference(name: str) -> str:
    """Under the tag of the image it stands in for, so that a chart finds it by the map of names alone."""
    return f"signalink-test/{name}:{images.load().named(name).tag}"


def server(name: str, program: str, base: str) -> str:
    """The image of one server; its program is statically linked."""
    with tempfile.TemporaryDirectory(prefix="signalink-observer-") as folder:
        shutil.copy2(HERE / "Dockerfile", folder)
        shutil.copy2(program, Path(folder) / "server")
        _build(name, folder, "Dockerfile", f"BASE_IMAGE={base}")
    return reference(name)


def exporter(name: str, service_image: str) -> str:
    """The image of one exporter's stand-in."""
    arguments = (f"SERVICE_IMAGE={service_image}", f"EXPORTS={EXPORTERS[name]}")
    _build(name, str(HERE), "exporter.Dockerfile", *arguments)
    return reference(name)


def _build(name: str, folder: str, dockerfile: str, *arguments: str) -> None:
    options = [word for argument in arguments for word in ("--build-arg", argument)]
    words = ["docker", "build", "--quiet", "--file", f"{folder}/{dockerfile}", *options, "--tag", reference(name)]
    subprocess.run([*words, folder], check=True, timeout=SECONDS, stdout=subprocess.DEVNULL)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", default="debian:bookworm-slim")
    parser.add_argument("--service-image", required=True, help="image of our prober, which has clients of all engines")
    chosen = parser.parse_args()
    for name, program in SERVERS.items():
        if found := shutil.which(program):
            sys.stdout.write(f"{server(name, found, chosen.base)}\n")
        else:
            sys.stderr.write(f"{name}: not built, {program} is not on PATH\n")
    sys.stdout.writelines(f"{exporter(name, chosen.service_image)}\n" for name in EXPORTERS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
