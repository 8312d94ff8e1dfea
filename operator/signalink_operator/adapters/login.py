"""Where the Kubernetes API is: the pod's service account, else the kubeconfig. kopf reads both; we hand it on."""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any

import kopf

from signalink_core.errors import ConfigurationError
from signalink_operator.adapters.kube import Connection

ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def find() -> kopf.ConnectionInfo:
    """Raises ConfigurationError when this process is in no cluster and has no kubeconfig."""
    found = kopf.login_with_service_account() or kopf.login_with_kubeconfig()
    if found is None:
        raise ConfigurationError(
            "There is no Kubernetes API to talk to: no service account and no kubeconfig.",
            next_step="set KUBECONFIG to a file, or run the operator in a pod with a service account.",
        )
    return found


def connection(info: kopf.ConnectionInfo) -> Connection:
    """The same access for our own calls."""
    token_file = ACCOUNT_TOKEN if ACCOUNT_TOKEN.exists() and info.token else None
    return Connection(info.server.rstrip("/"), _tls(info), info.token, token_file)


def _tls(info: kopf.ConnectionInfo) -> ssl.SSLContext | None:
    if not info.server.startswith("https"):
        return None
    authorities = _pem(info.ca_data)
    context = ssl.create_default_context(cafile=info.ca_path, cadata=authorities)  # type: ignore[arg-type]
    if info.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if info.certificate_path or info.certificate_data:
        _load_chain(context, info)
    return context


def _load_chain(context: ssl.SSLContext, info: kopf.ConnectionInfo) -> None:
    """The ssl module takes files only: data of the kubeconfig lie in one for as long as it is read."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = _file(Path(folder) / "certificate", info.certificate_path, info.certificate_data)
        key = _file(Path(folder) / "key", info.private_key_path, info.private_key_data)
        context.load_cert_chain(certificate, key)


def _file(place: Path, path: Any, data: Any) -> str:
    if path:
        return str(path)
    place.touch(mode=0o600)
    place.write_text(_pem(data) or "", encoding="utf-8")
    return str(place)


def _pem(data: str | bytes | None) -> str | None:
    """kubeconfigs hold PEM in base64."""
    if data is None:
        return None
    text = data.decode() if isinstance(data, bytes) else data
    return text if text.lstrip().startswith("-----") else base64.b64decode(text).decode()
