"""The Kubernetes API as a pod sees it: a few calls as the pod's service account. Watching is the operator's alone.

Outside a pod `SIGNALINK_KUBERNETES_URL` and `SIGNALINK_KUBERNETES_ACCOUNT` (a folder: token, ca.crt, namespace) count.
"""

import os
import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from signalink_core.errors import ConfigurationError

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MERGE: Final = "application/merge-patch+json"
SECONDS: Final = 15.0


class KubernetesApi:
    """An async context manager. `namespace` is the pod's own."""

    def __init__(self, url: str, account: Path) -> None:
        try:
            token = (account / "token").read_text(encoding="utf-8").strip()
            self.namespace = (account / "namespace").read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(
                f"There is no service account of Kubernetes: {error}.",
                next_step="run this in a pod that mounts its account's token.",
            ) from error
        authority = account / "ca.crt"
        verify = ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            verify=verify,
            timeout=SECONDS,
            trust_env=False,
        )

    @classmethod
    def from_env(cls) -> Self:
        """As the variables say, else as every pod finds it. ConfigurationError outside a cluster."""
        host, port = (os.environ.get(f"KUBERNETES_SERVICE_{key}", "") for key in ("HOST", "PORT"))
        if ":" in host:
            host = f"[{host}]"
        url = os.environ.get("SIGNALINK_KUBERNETES_URL") or (f"https://{host}:{port or 443}" if host else "")
        if not url:
            raise ConfigurationError(
                "This is no pod of a cluster: KUBERNETES_SERVICE_HOST is not set.",
                next_step="run it in a pod, or set SIGNALINK_KUBERNETES_URL.",
            )
        return cls(url, Path(os.environ.get("SIGNALINK_KUBERNETES_ACCOUNT") or ACCOUNT))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> httpx.Response:
        """One call. Raises httpx.HTTPError when there is no answer; what the answer says is the caller's matter."""
        return await self._http.request(method, path, json=body, headers={"Content-Type": kind} if body else None)
