"""`python -m signalink_api.cluster_tokens`: see that a Secret of Kubernetes holds a good token of a service.

Runs as a Job and again each day. Owns arguments and exit codes: 0, 1, 64.
"""

import argparse
import asyncio
import sys
from typing import Final

import httpx

from signalink_api import service_tokens
from signalink_api.cluster_tokens.keeping import Wanted, ensure
from signalink_core.auth.keys import KeyRing
from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_core.kubernetes import KubernetesApi
from signalink_core.settings import AuthSettings, PostgresSettings

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 64


async def _main(wanted: Wanted) -> str:
    auth = AuthSettings.from_env()
    if auth.keys_dir is None:
        raise ConfigurationError(
            "SIGNALINK_AUTH_KEYS_DIR is not set.", next_step="name the folder of the api's signing keys."
        )
    async with KubernetesApi.from_env() as api:
        return await ensure(api, PostgresSettings.from_env(), KeyRing.load(auth.keys_dir), auth.issuer, wanted)


def main(arguments: list[str] | None = None) -> int:
    """Exit 0 when the Secret holds a good token, 64 for what only a person can put right, 1 for what may pass."""
    parser = argparse.ArgumentParser(prog="python -m signalink_api.cluster_tokens")
    parser.add_argument("--service", required=True)
    parser.add_argument("--secret", required=True, help="name of the Secret, in the pod's namespace")
    parser.add_argument("--key", required=True, help="key in it")
    parser.add_argument("--days", type=int, default=service_tokens.DAYS)
    parser.add_argument(
        "--rotation", default="", help="another text than last time: a new token, and all older ones end"
    )
    chosen = parser.parse_args(arguments)
    try:
        said = asyncio.run(_main(Wanted(**vars(chosen))))
    except (SignalinkError, httpx.HTTPError) as error:
        sys.stderr.write(f"cluster_tokens: {error}\n")
        return EXIT_USAGE if isinstance(error, ConfigurationError) else EXIT_FAILED
    sys.stdout.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
