"""Builds the stand-ins for official engine images (engines/README.md) from this environment's wheels and Kafka's jars.

`python tests/images/enginebuilds.py [--base IMAGE]` builds all three: signalink-test/postgres, valkey and kafka.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from signalink_stacks.lib import images
from signalink_stacks.local.engines import jars, postgres, valkey

HERE = Path(__file__).parent / "engines"
NAMES = ("postgres", "valkey", "kafka")
SECONDS = 900


def reference(name: str) -> str:
    """Under the tag of the image it stands in for, so that a chart finds it by the map of names alone."""
    return f"signalink-test/{name}:{images.load().named(name).tag}"


def assemble(context: Path) -> None:
    """Everything the three Dockerfile targets copy; engines as this environment has them."""
    shutil.copytree(HERE, context, dirs_exist_ok=True)
    installed = postgres.binary("postgres").parents[1]
    shutil.copytree(installed, context / "pginstall", symlinks=True)
    shutil.copytree(installed.parent.with_name(f"{installed.parent.name}.libs"), context / "pglibs")
    shutil.copy2(valkey.binary(), context / "valkey-server")
    (context / "valkey-server").chmod(0o755)
    shutil.copytree(jars.java().parents[1], context / "java", symlinks=True)
    (context / "jars").mkdir()
    for jar in jars.class_path().split(":"):
        shutil.copy2(jar, context / "jars")


def build(base: str) -> list[str]:
    """Build all; the references."""
    with tempfile.TemporaryDirectory(prefix="signalink-engines-") as folder:
        assemble(Path(folder))
        for name in NAMES:
            words = ["docker", "build", "--quiet", "--target", name, "--build-arg", f"BASE_IMAGE={base}"]
            subprocess.run([*words, "--tag", reference(name), folder], check=True, timeout=SECONDS)
    return [reference(name) for name in NAMES]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", default="debian:bookworm-slim")
    sys.stdout.writelines(f"{each}\n" for each in build(parser.parse_args().base))
    return 0


if __name__ == "__main__":
    sys.exit(main())
