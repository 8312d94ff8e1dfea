"""`python -m signalink_core.entry SERVICE`: print the start script of a service's image, from its service.toml.

An image's ENTRYPOINT is one word for all services, and a service's command may be anything: this script joins them. It
execs, so that the service itself gets the signals.
"""

import shlex
import sys
from collections.abc import Sequence

from signalink_core import manifest
from signalink_core.errors import ConfigurationError

PYTHON = "/app/bin/python"


def script(command: Sequence[str]) -> str:
    """`python` becomes the image's own; what is given to the container is appended."""
    head, *rest = command
    words = [PYTHON if head == "python" else head, *rest]
    return f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'


def main(arguments: Sequence[str]) -> int:
    """0 printed, 64 wrong use or no such service."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m signalink_core.entry SERVICE\n")
        return 64
    try:
        found = manifest.load(manifest.find(f"signalink_{arguments[0].replace('-', '_')}"))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 64
    sys.stdout.write(script(found.command))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
