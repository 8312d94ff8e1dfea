"""One stack `existing` in a folder of its own: its configuration, its backend, the commands of the engine on it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pluginthreads
import psutil
import yaml

from signalink_stacks.cloud import graph
from signalink_stacks.clusters import stacked
from signalink_stacks.clusters.plan import Access, Wishes
from signalink_stacks.clusters.project import address

ROOT: Final = Path(__file__).resolve().parents[3]
STACK: Final = "existing"
NAMESPACE: Final = "signalink-pulumi-proof"
PATIENCE: Final = 900.0
"""Of one command; on a cluster with nodes `up` waits for every pod."""
WATCHED: Final = f"operator: {{watchNamespaces: [{NAMESPACE}]}}"
"""Another platform's Topics on the same cluster are not this one's matter."""
LABEL: Final = f"signalink.dev/stack={STACK}"
KINDS: Final = (
    "deployments,statefulsets,services,secrets,configmaps,serviceaccounts,networkpolicies,jobs,cronjobs,"
    "poddisruptionbudgets,horizontalpodautoscalers,roles,rolebindings,topics.signalink.dev"
)
CLAIMS: Final = "persistentvolumeclaims"
"""They carry no label of ours: StatefulSets make them."""
WHOLE: Final = "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings"
DEFINITIONS: Final = frozenset(f"{kind}.signalink.dev" for kind in ("topics", "channels"))
NEIGHBOUR: Final = f"{NAMESPACE}-neighbour"
TOPIC: Final = {
    "apiVersion": "signalink.dev/v1",
    "kind": "Topic",
    "metadata": {"name": "theirs", "namespace": NEIGHBOUR},
    "spec": {"partitions": 1, "replicas": 1},
}
"""Of a platform that is not this one's; no operator looks after it."""


class Missed(Exception):
    """What should hold does not."""


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def lacking() -> tuple[str, bool]:
    """Why it cannot run here, and whether that is a failure."""
    required = set(os.environ.get("SIGNALINK_REQUIRE", "").split(","))
    if shutil.which("pulumi") is None:
        return "pulumi is not on PATH", "pulumi" in required
    if shutil.which("kubectl") is None or not Path(os.environ.get("KUBECONFIG", "/none")).is_file():
        return "no cluster: KUBECONFIG names no file, or kubectl is not on PATH", {"pulumi", "kube"} <= required
    if not (ROOT / ".venv-stacks/bin/python").exists():
        return ".venv-stacks is not there (make stacks)", "pulumi" in required
    return "", False


def told(text: str) -> str:
    """Of what pulumi said, the lines that tell why: a plugin's own words are among them."""
    lines = text.splitlines()
    return "\n".join([line for line in lines if re.search(r"[Ee]rror|diff:|^ [-+~]+ ", line)][:12] or lines[-25:])


@dataclass
class Engine:
    """`folder` holds the project, the state and the logs; `profile` is the stack's."""

    folder: Path
    profile: str
    env: dict[str, str] = field(default_factory=dict)
    nodes: int = 0
    ground: str = ""
    words: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """The project beside links to the program, and a stack with its configuration and its secrets."""
        (self.folder / "state").mkdir()
        home = Path(os.environ.get("PULUMI_HOME", str(Path.home() / ".pulumi")))
        (self.folder / "home").mkdir()
        if (home / "plugins").is_dir():
            (self.folder / "home/plugins").symlink_to(home / "plugins")
        for name in ("stacks", ".venv-stacks"):
            (self.folder / name).symlink_to(ROOT / name)
        text = (ROOT / "Pulumi.yaml").read_text(encoding="utf-8")
        project = text.replace("stackConfigDir: stacks/config", "stackConfigDir: config")
        (self.folder / "Pulumi.yaml").write_text(project, encoding="utf-8")
        (self.folder / "config").mkdir()
        self.env = os.environ | {
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": address(self.folder / "state"),
            "PULUMI_CONFIG_PASSPHRASE": "of-a-throw-away-stack",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # What somebody changed by hand is theirs to the API server; a repair takes it back.
            "PULUMI_K8S_ENABLE_PATCH_FORCE": "true",
            "PYTHONPATH": str(pluginthreads.site(self.folder)),
        }
        self.nodes = len(self.kubectl("get", "nodes", "-o", "name").split())
        self.run("stack", "init", STACK)
        self._configure()
        self.complete()
        self.words = self.secrets()
        self.ground = self._ground()
        say(f"  on {self.ground}")

    def complete(self) -> str:
        """What a deployment does before it: the secrets that the stack's file lacks."""
        words = [sys.executable, "-m", "signalink_stacks.clusters.words", STACK, "--folder", str(self.folder)]
        return self.command(words, self.env)

    def secrets(self) -> dict[str, str]:
        """Those in the stack's file."""
        return dict(json.loads(self.run("config", "get", "signalink:secrets", "-s", STACK, kept=False)))

    def _configure(self) -> None:
        settings: dict[str, Any] = {
            "signalink:target": "existing",
            "signalink:profile": self.profile,
            "signalink:environment": "local",
            "signalink:cluster": {
                "kubeconfig": os.environ["KUBECONFIG"],
                "context": self.kubectl("config", "current-context").strip(),
                "namespace": NAMESPACE,
                "wait": self.nodes > 0,
            },
            "signalink:images": {"dev": True, "tag": os.environ.get("SIGNALINK_IMAGES", "none")},
        }
        asked = filter(None, os.environ.get("SIGNALINK_VALUES", "").split(","))
        given = stacked.values([*(Path(each).read_text(encoding="utf-8") for each in asked), WATCHED], [])
        wishes = Wishes("existing", namespace=NAMESPACE)
        settings = stacked.settings(wishes, self.access, settings, {}, given)
        path = self.folder / f"config/Pulumi.{STACK}.yaml"
        there = yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}
        path.write_text(yaml.safe_dump(there | {"config": settings}), encoding="utf-8")

    def _ground(self) -> str:
        version = self.run("version").strip()
        server = json.loads(self.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
        folder = next((self.folder / "home/plugins").glob("resource-kubernetes-*"), None)
        genuine = folder is not None and not any(folder.glob("*.py"))
        provider = "the genuine Kubernetes provider" if genuine else "a stand-in for the Kubernetes provider"
        nodes = f"{self.nodes} nodes" if self.nodes else "no nodes: nothing is waited for"
        return f"pulumi {version}, {provider}, a real API server {server} ({nodes})"

    @property
    def access(self) -> Access:
        """The cluster of KUBECONFIG by its present context."""
        return Access(os.environ["KUBECONFIG"], self.kubectl("config", "current-context").strip())

    def graph(self) -> graph.Graph:
        """What the stack is made of."""
        return graph.record(STACK, ROOT, config=self.folder / f"config/Pulumi.{STACK}.yaml")

    def run(self, *words: str, good: tuple[int, ...] = (0,), kept: bool = True) -> str:
        """What pulumi says; Missed when it ends otherwise. Kept for the search of secrets, unless it shows them."""
        text, status = self.attempt(*words, kept=kept)
        if status not in good:
            raise Missed(f"`pulumi {' '.join(words)}` ended with {status}:\n{told(text)}")
        return text

    def attempt(self, *words: str, kept: bool = True) -> tuple[str, int]:
        """The same with its exit status."""
        command = ["pulumi", "--non-interactive", "--color", "never", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        if kept:
            self.said.append(done.stdout + done.stderr)
        return (done.stdout if done.returncode == 0 else done.stdout + done.stderr), done.returncode

    def killed(self, *words: str, after: str) -> None:
        """Start a command and kill the engine without warning once it has written `after`."""
        log = self.folder / "killed.log"
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                ["pulumi", "--non-interactive", "--color", "never", *words],
                cwd=self.folder,
                env=self.env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            assert process.stdout is not None
            reached = False
            for line in process.stdout:
                file.write(line)
                if reached := after in line:
                    break
            below = psutil.Process(process.pid).children(recursive=True)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
            for each in below:  # plugins are in groups of their own, and would stay for ever
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        text = log.read_text(encoding="utf-8")
        self.said.append(text)
        if not reached:
            raise Missed(f"`pulumi {' '.join(words)}` ended by itself before it wrote {after}:\n{told(text)}")

    def kubectl(self, *words: str, given: str = "") -> str:
        return self.command(["kubectl", *words], dict(os.environ), given)

    def command(self, words: list[str], env: dict[str, str], given: str = "") -> str:
        done = subprocess.run(words, env=env, input=given, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise Missed(f"`{' '.join(words[:4])} ...` failed: {done.stderr.strip()[-400:]}")
        return done.stdout

    def objects(self) -> list[str]:
        """What carries the stack's label in the cluster."""
        named = self.kubectl("get", KINDS, "-n", NAMESPACE, "-l", LABEL, "-o", "name", "--ignore-not-found")
        whole = self.kubectl("get", WHOLE, "-l", LABEL, "-o", "name", "--ignore-not-found")
        return [*named.split(), *whole.split()]

    def left(self) -> list[str]:
        """The same after a destroy, when the kinds of ours may be gone."""
        kinds = KINDS.replace(",topics.signalink.dev", "")
        named = self.kubectl("get", kinds, "-A", "-l", LABEL, "-o", "name", "--ignore-not-found")
        return [*named.split(), *self.kubectl("get", WHOLE, "-l", LABEL, "-o", "name", "--ignore-not-found").split()]

    def claims(self) -> list[str]:
        """Volumes that are still asked for in the platform's namespace."""
        return self.kubectl("get", CLAIMS, "-n", NAMESPACE, "-o", "name", "--ignore-not-found").split()

    def neighbour(self) -> None:
        """Somebody else in the cluster, with a Topic."""
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NEIGHBOUR}}
        for each in (space, TOPIC):
            self.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(each))

    def kinds(self) -> list[str]:
        """Names of all definitions of the cluster."""
        found = self.kubectl("get", "customresourcedefinitions", "-o", "name").split()
        return [each.partition("/")[2] for each in found]

    def spared(self) -> bool:
        """Whether the neighbour's Topic is there."""
        if not set(self.kinds()) >= DEFINITIONS:
            return False
        return bool(self.kubectl("get", "topics.signalink.dev", "-n", NEIGHBOUR, "-o", "name").split())

    def leave(self) -> None:
        """The neighbour takes its Topic and goes."""
        if set(self.kinds()) >= DEFINITIONS:
            self.kubectl("delete", "topics.signalink.dev", "--all", "-n", NEIGHBOUR, "--timeout=60s")
        self.kubectl("delete", "namespace", NEIGHBOUR, "--ignore-not-found", "--timeout=90s")

    def clear(self) -> None:
        """Leave nothing, whatever happened."""
        with suppress(Missed):
            self.leave()
        if self.env:
            self.attempt("cancel", "--yes", "-s", STACK, kept=False)
            self.attempt("destroy", "--yes", "--skip-preview", "-s", STACK, kept=False)
