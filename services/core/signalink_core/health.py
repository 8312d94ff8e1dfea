"""`python -m signalink_core.health [PATH]`: ask this container's own process how it is; exit 0 when it answers 200.

For engines that have no probes of their own (compose, `docker run`). Imports only the standard library: an engine runs
it every few seconds. PATH is /readyz unless given; the port is SIGNALINK_METRICS_PORT.
"""

import http.client
import os
import sys
from collections.abc import Mapping, Sequence

ADDRESS = "127.0.0.1"
SECONDS = 2.0
READY = "/readyz"


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """0 healthy, 1 not, 64 not configured; one line says why."""
    path = arguments[0] if arguments else READY
    port = environment.get("SIGNALINK_METRICS_PORT", "")
    if not port.isdecimal() or not path.startswith("/"):
        sys.stderr.write("health: needs SIGNALINK_METRICS_PORT and a path as /readyz\n")
        return 64
    try:
        status, said = ask(int(port), path)
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"health: port {port} does not answer: {error}\n")
        return 1
    sys.stdout.write(f"{status} {said}\n")
    return 0 if status == 200 else 1


def ask(port: int, path: str) -> tuple[int, str]:
    """Status and the beginning of the body."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(2000).decode(errors="replace")
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
