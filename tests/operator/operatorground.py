"""What the operator's proof and benchmark stand on: a Kubernetes API, a real broker, and the operator as a process.

The API is the one KUBECONFIG names, else a bare server made of etcd and kube-apiserver on PATH, else the emulated one;
which of them it was is said in the verdict. `SIGNALINK_REQUIRE=kube` refuses the emulated one. A server that
apiserver.py made for others is left alone: here one is killed.
"""

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apiserver
import httpx
import kopf
import yaml
from operatorworld import CRDS, Api, real_api

from signalink_core.kafka import access
from signalink_core.settings import KafkaSettings
from signalink_core.testing import eventually
from signalink_operator.adapters.kafka import KafkaTopics
from signalink_operator.model import ObservedTopic
from signalink_operator.testing import Cluster
from signalink_stacks.local.engines import KafkaEngine
from signalink_stacks.local.engines import kafka as kafka_engine
from signalink_stacks.local.engines.base import clean_environment
from signalink_stacks.local.ports import free_port

LEASE_SECONDS = 3.0
EVERYWHERE, ONE_NAMESPACE = USERS = ("operator", "narrow")
"""Users of a server of our own, by where the roles of rbac.yaml are bound for them."""
START_SECONDS = 60.0


class NoCluster(Exception):
    """A real Kubernetes API is required and there is none."""


@dataclass
class Process:
    """One `python -m signalink_operator`."""

    child: subprocess.Popen[bytes]
    port: int
    token: str
    log: Path

    async def until_live(self) -> None:
        """It answers; it need not be at work."""
        await self._until("healthz")

    async def until_ready(self) -> None:
        """It holds the Lease and has listed everything."""
        await self._until("readyz")

    async def _until(self, page: str) -> None:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:

            async def answers() -> bool:
                if self.child.poll() is not None:
                    raise RuntimeError(f"the operator ended: {self.tail()}")
                try:
                    return (await http.get(f"http://127.0.0.1:{self.port}/{page}")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(answers, within=START_SECONDS, every=0.05)

    async def fault(self, **fault: Any) -> None:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            headers = {"Authorization": f"Bearer {self.token}"}
            answer = await http.put(f"http://127.0.0.1:{self.port}/faults", headers=headers, json=fault)
            answer.raise_for_status()

    async def ended(self, within: float = 60.0) -> int:
        return await asyncio.to_thread(self.child.wait, within)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.child.send_signal(number)
        return await self.ended()

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        page = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5, trust_env=False).text
        rows = [line.rsplit(" ", 1) for line in page.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(value) for _, value in rows)

    def tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-1500:]


@dataclass
class Ground:
    """`described` says which Kubernetes API it is; `server` and `cluster` are set where it is ours to break."""

    folder: Path
    api: Api
    broker: KafkaEngine
    described: str
    kubeconfig: Path
    server: apiserver.Server | None = None
    cluster: Cluster | None = None
    processes: list[Process] = field(default_factory=list)

    def kafka(self, principal: str = "operator") -> KafkaSettings:
        return KafkaSettings(
            bootstrap=self.broker.bootstrap,
            user=principal,
            password_file=self.broker.password_file(principal),
            security="sasl_plaintext",
        )

    async def topic(self, name: str) -> ObservedTopic | None:
        """As Kafka has it; an AssertionError while Kafka does not say."""
        admin = KafkaTopics(self.kafka())
        found = (await asyncio.to_thread(admin.observe, [name]))[name]
        assert found is None or isinstance(found, ObservedTopic), found
        return found

    def start(self, *, environment: Mapping[str, str] | None = None, **options: Any) -> Process:
        """A new operator in the background; options are SIGNALINK_OPERATOR_..."""
        token = self.folder / "faults-token"
        token.write_text("proof", encoding="utf-8")
        port, number = free_port(), len(self.processes)
        kafka = self.kafka()
        given = {"NAMESPACE": self.api.namespace, "WATCH_NAMESPACES": self.api.namespace, "RETRY_SECONDS": 0.5}
        given |= {"LEASE_SECONDS": LEASE_SECONDS, "RESYNC_SECONDS": 3600, "BATCH_WAIT_MS": 20}
        given |= {key.upper(): value for key, value in options.items()}
        settings = {
            "KUBECONFIG": str(self.kubeconfig),
            "SIGNALINK_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "SIGNALINK_KAFKA_USER": str(kafka.user),
            "SIGNALINK_KAFKA_PASSWORD_FILE": str(kafka.password_file),
            "SIGNALINK_METRICS_PORT": str(port),
            "SIGNALINK_FAULTS": "on",
            "SIGNALINK_FAULTS_TOKEN_FILE": str(token),
            **{f"SIGNALINK_OPERATOR_{key}": str(value) for key, value in given.items()},
            **(environment or {}),
        }
        log = self.folder / f"operator-{number}.log"
        with log.open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "signalink_operator"],
                env=clean_environment() | settings,
                stdout=output,
                stderr=output,
            )
        self.processes.append(Process(child, port, "proof", log))
        return self.processes[-1]

    @asynccontextmanager
    async def elsewhere(self, user: str = "") -> AsyncIterator["Ground"]:
        """The same in another namespace; with `user` its operators are that user, with the rights of rbac.yaml."""
        assert self.server is not None
        kubeconfig = self.kubeconfig
        async with real_api() as api:
            if user:
                kubeconfig = self.server.kubeconfig(user)
                await _grant(api, user)
            yield dataclasses.replace(self, api=api, kubeconfig=kubeconfig)

    async def as_user(self, user: str, method: str, path: str) -> int:
        """The status that the API answers this user."""
        assert self.server is not None
        headers = {"Authorization": f"Bearer {user}"}
        async with httpx.AsyncClient(base_url=self.server.url, verify=False, timeout=20) as http:  # noqa: S501
            return (await http.request(method, path, headers=headers)).status_code

    @asynccontextmanager
    async def working(self, **options: Any) -> AsyncIterator[Process]:
        """An operator that is ready; SIGTERM at the end, and it must leave with 0 unless it is dead already."""
        process = self.start(**options)
        try:
            await process.until_ready()
            yield process
            if process.child.poll() is None:
                code = await process.end()
                assert code == 0, f"the operator ended with {code} after SIGTERM: {process.tail()}"
        finally:
            if process.child.poll() is None:
                process.child.kill()
                process.child.wait()


@asynccontextmanager
async def ground(properties: Mapping[str, str] | None = None, folder: Path | None = None) -> AsyncIterator[Ground]:
    """Everything up but the operator."""
    async with AsyncExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signalink-operator-")))
        api, described, more = await _kubernetes(stack, place)
        await asyncio.to_thread(kafka_engine.setup)
        broker = KafkaEngine(place / "kafka", properties=dict(properties or {}))
        await asyncio.to_thread(broker.__enter__)
        stack.push_async_callback(asyncio.to_thread, broker.stop)
        built = Ground(place, api, broker, described, Path(os.environ["KUBECONFIG"]), **more)
        await access.apply(built.kafka("admin"))
        yield built


async def _kubernetes(stack: AsyncExitStack, place: Path) -> tuple[Api, str, dict[str, Any]]:
    before = os.environ.get("KUBECONFIG")
    stack.callback(_restore, before)
    if before and not (apiserver.made(Path(before)) and not apiserver.missing()):
        api = await stack.enter_async_context(real_api())
        return api, "the API server of KUBECONFIG", {}
    if not apiserver.missing():
        server = await asyncio.to_thread(stack.enter_context, apiserver.running({user: user for user in USERS}, place))
        os.environ["KUBECONFIG"] = str(server.kubeconfig())
        api = await stack.enter_async_context(real_api())
        return api, f"kube-apiserver {await _version(api)}", {"server": server}
    if "kube" in os.environ.get("SIGNALINK_REQUIRE", "").split(","):
        raise NoCluster(f"KUBECONFIG is not set, and not on PATH: {', '.join(apiserver.missing())}")
    cluster = await stack.enter_async_context(Cluster())
    os.environ["KUBECONFIG"] = str(_kubeconfig(place / "kubeconfig", cluster.url))
    api = Api(kopf.ConnectionInfo(server=cluster.url), "default")
    stack.push_async_callback(api.http.aclose)
    return api, "an emulated Kubernetes API", {"cluster": cluster}


async def _grant(api: Api, user: str) -> None:
    """The roles of operator/rbac.yaml, bound to the user as that file says."""
    group = "rbac.authorization.k8s.io"
    for role in yaml.safe_load_all((CRDS.parent / "rbac.yaml").read_text(encoding="utf-8")):
        name, kind = role["metadata"]["name"], role["kind"]
        if user == ONE_NAMESPACE and name.endswith("-discovery"):
            continue
        bound = "RoleBinding" if kind == "Role" or user == ONE_NAMESPACE else "ClusterRoleBinding"
        binding = {
            "apiVersion": role["apiVersion"],
            "kind": bound,
            "metadata": {"name": f"{name}-{user}"},
            "roleRef": {"apiGroup": group, "kind": kind, "name": name},
            "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
        }
        for body in (role, binding):
            where = f"/namespaces/{api.namespace}" if not body["kind"].startswith("Cluster") else ""
            answer = await api.call("POST", f"/apis/{group}/v1{where}/{body['kind'].lower()}s", body)
            assert answer.status_code in {201, 409}, answer.text


def _restore(before: str | None) -> None:
    os.environ.pop("KUBECONFIG", None)
    if before is not None:
        os.environ["KUBECONFIG"] = before


async def _version(api: Api) -> str:
    return str(json.loads((await api.call("GET", "/version")).text)["gitVersion"])


def _kubeconfig(path: Path, server: str) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": server}}],
        "users": [{"name": "x", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path
