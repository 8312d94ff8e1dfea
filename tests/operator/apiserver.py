"""A bare Kubernetes API server from programs on PATH: etcd and kube-apiserver as child processes, nothing else.

`python tests/operator/apiserver.py COMMAND ...` runs a command with KUBECONFIG naming such a server. It has no nodes;
with kube-controller-manager on PATH it also collects garbage and empties deleted namespaces.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from signalink_core.testing import eventually

START_SECONDS = 120.0
TOKEN = "admin-of-a-throw-away-server"
PROGRAMS = ("etcd", "kube-apiserver")
FOLDER = "signalink-kube-"


def missing() -> list[str]:
    """The programs that are not on PATH."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def made(kubeconfig: Path) -> bool:
    """Whether this module made the server that it names."""
    return kubeconfig.parent.name.startswith(FOLDER)


@dataclass
class Server:
    """`folder` holds everything; `kubeconfig` is for a member of system:masters, `users` maps token to user name."""

    folder: Path
    users: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.ports['api']}"

    def kubeconfig(self, token: str = TOKEN) -> Path:
        path = self.folder / f"kubeconfig-{token}"
        authority = self.folder / "certs/apiserver.crt"  # the server makes it, with the one that signed it
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            "clusters": [{"name": "x", "cluster": {"server": self.url, "certificate-authority": str(authority)}}],
            "users": [{"name": "x", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        }
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path

    def start(self) -> None:
        """etcd first, then the API server; returns when it is ready."""
        self.ports = self.ports or {name: _free_port() for name in ("etcd", "peer", "api")}
        self._keys()
        self._run("etcd", *self._etcd())
        self.start_api()
        if shutil.which("kube-controller-manager"):
            config = str(self.kubeconfig())
            self._run(
                "kube-controller-manager",
                *(f"--kubeconfig={config}", "--leader-elect=false", "--secure-port=0"),
                "--controllers=garbage-collector-controller,namespace-controller",
            )

    def start_api(self) -> None:
        self._run("kube-apiserver", *self._apiserver())
        asyncio.run(eventually(self._ready, within=START_SECONDS, every=0.2))

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        process = self.processes.pop(name, None)
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def stop_all(self) -> None:
        for name in reversed(list(self.processes)):
            self.stop(name)

    def _run(self, name: str, *arguments: str) -> None:
        program = shutil.which(name)
        if program is None:
            raise RuntimeError(f"{name} is not on PATH")
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen([program, *arguments], stdout=log, stderr=log)

    def _etcd(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{self.ports[name]}" for name in ("etcd", "peer"))
        return [
            f"--data-dir={self.folder / 'etcd'}",
            *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
            *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
            *(f"--initial-cluster=default={peer}", "--unsafe-no-fsync", "--log-level=error"),
        ]

    def _apiserver(self) -> list[str]:
        key = self.folder / "account.key"
        return [
            f"--etcd-servers=http://127.0.0.1:{self.ports['etcd']}",
            *("--bind-address=127.0.0.1", f"--secure-port={self.ports['api']}", f"--cert-dir={self.folder / 'certs'}"),
            *("--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={key}"),
            *(f"--service-account-signing-key-file={key}", "--service-cluster-ip-range=10.0.0.0/24"),
            *(f"--token-auth-file={self.folder / 'tokens.csv'}", "--authorization-mode=RBAC"),
            *("--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none"),
        ]

    def _keys(self) -> None:
        key = rsa.generate_private_key(65537, 2048)
        kinds = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (self.folder / "account.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *kinds))
        lines = [
            f'{TOKEN},admin,admin,"system:masters"',
            *(f"{token},{user},{user}" for token, user in self.users.items()),
        ]
        (self.folder / "tokens.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _ready(self) -> bool:
        if (code := self.processes["kube-apiserver"].poll()) is not None:
            log = (self.folder / "kube-apiserver.log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"kube-apiserver ended with {code}: {log[-1500:]}")
        try:
            asked = {"Authorization": f"Bearer {TOKEN}"}
            return httpx.get(f"{self.url}/readyz", headers=asked, timeout=5, verify=False).status_code == 200  # noqa: S501
        except httpx.TransportError:
            return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(users: dict[str, str] | None = None, folder: Path | None = None) -> Iterator[Server]:
    """A server for as long as the block runs; its folder, made in `folder`, goes with it."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=FOLDER, dir=folder)))
        server = Server(place, dict(users or {}))
        stack.callback(server.stop_all)
        server.start()
        yield server


def main(command: list[str]) -> int:
    """Run a command with a server of its own; its exit code."""
    if not command or missing():
        what = f"not on PATH: {', '.join(missing())}" if missing() else "no command"
        sys.stderr.write(f"apiserver.py: {what}. Next: name a command, and put etcd and kube-apiserver on PATH.\n")
        return 64
    with running() as server:
        environment = {**os.environ, "KUBECONFIG": str(server.kubeconfig())}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
