"""Where the Kubernetes API is: the pod's service account, else the kubeconfig. kopf reads both, for our calls too."""

from __future__ import annotations

from pathlib import Path

import kopf

from signalink_core.errors import ConfigurationError
from signalink_operator.adapters.kube import Connection

ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def find() -> kopf.ConnectionInfo:
    """Raises ConfigurationError when this process is in no cluster and has no kubeconfig."""
    settings = kopf.OperatorSettings()
    found = kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(settings=settings)
    if found is None:
        raise ConfigurationError(
            "There is no Kubernetes API to talk to: no service account and no kubeconfig.",
            next_step="set KUBECONFIG to a file, or run the operator in a pod with a service account.",
        )
    return found


def connection(info: kopf.ConnectionInfo) -> Connection:
    """The same access for our own calls; a pod's token is read at each use: it is replaced every hour."""
    tls = info.as_ssl_context() if info.server.startswith("https") else None
    in_pod = ACCOUNT_TOKEN if ACCOUNT_TOKEN.exists() and info.token else None
    return Connection(info.server.rstrip("/"), tls, info.as_http_headers(), in_pod)
