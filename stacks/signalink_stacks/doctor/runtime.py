"""Owns the rules on programs: Python, Java and the engines for the local target, the tools of the other targets."""

import re
from typing import Final

from signalink_stacks.doctor.host import TARGETS, Host
from signalink_stacks.doctor.rule import Finding, Rule, fail, ok, warn

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)
LEAST: Final = {"docker": (24, 0), "kind": (0, 23), "helm": (3, 14), "kubectl": (1, 28), "pulumi": (3, 120)}
SOURCES: Final = {
    "docker": "start it (`sudo systemctl start docker`), or install Docker Engine from your system's packages",
    "kind": "https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    "helm": "https://helm.sh/docs/intro/install/",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    "pulumi": "https://www.pulumi.com/docs/install/",
}
WITHOUT: Final = {"pulumi": ("kind", "existing")}
"""Program -> targets that Helm alone can install."""
CLUSTERED: Final = ("kind", "existing", "eks")


def python(host: Host) -> Finding:
    found = ".".join(map(str, host.python))
    if OLDEST_PYTHON <= host.python <= NEWEST_PYTHON:
        return ok(found)
    return fail(
        f"This is Python {found}; 3.11 to 3.14 are supported.",
        "the locked packages exist for these versions only",
        "`make clean`, then `make setup PYTHON=/path/to/python3.13`",
    )


def java(host: Host) -> Finding:
    if "kafka" not in host.engines:
        return ok("not needed: Kafka does not run")
    found = host.programs["java"]
    if found.version is not None:
        return ok(found.version)
    return fail(f"The Java runtime does not run: {found.problem}.", "Kafka runs on it", "`make setup` installs it")


def engines(host: Host) -> Finding:
    broken = {name: host.programs[name].problem for name in ("postgres", "valkey") if not host.programs[name].version}
    if not broken:
        return ok(", ".join(f"{name} {host.programs[name].version}" for name in ("postgres", "valkey")))
    return fail(
        "; ".join(f"{name} does not run: {problem}" for name, problem in broken.items()) + ".",
        "the platform is nothing without its engines",
        "`make setup` installs them; a missing library comes from the system's packages (zlib1g)",
    )


def downloads(host: Host) -> Finding:
    if "kafka" not in host.engines:
        return ok("nothing: Kafka does not run")
    if host.jars:
        return ok("Kafka's jars are here")
    return warn(
        "Kafka's jars are not here yet.",
        "the first start downloads 45 MB, which needs the network and some time",
        "nothing; behind a proxy set HTTPS_PROXY before `signalink up`",
    )


def manifests(host: Host) -> Finding:
    if host.manifest_problem is None:
        return ok("every service.toml is valid")
    detail, following = host.manifest_problem
    return fail(detail, "services are started from their manifests", following)


def file_watch(host: Host) -> Finding:
    if not host.watch_problem:
        return ok("edits are noticed")
    return warn(
        f"Edits of files are not noticed: {host.watch_problem}.",
        "nothing can be started again by itself after an edit",
        "keep the checkout on a disk of this machine, and raise fs.inotify.max_user_watches",
    )


def _tool(name: str) -> Rule:
    """The rule on one program of PATH."""

    def check(host: Host) -> Finding:
        found, least = host.programs[name], LEAST[name]
        wanted = ".".join(map(str, least))
        if found.version is None:
            without = host.target in WITHOUT.get(name, ())
            fix = SOURCES[name] + (
                f"; or do without: `signalink up --target {host.target} --by helm`" if without else ""
            )
            return fail(f"{name} cannot be used: {found.problem}.", "this target is made with it", fix)
        if version_of(found.version) < least:
            return warn(f"{name} is {found.version}; {wanted} is the oldest known to do.", "older ones are not tried",
                        SOURCES[name])  # fmt: skip
        return ok(found.version)

    return Rule(name, check, ("kind",) if name in {"docker", "kind"} else CLUSTERED)


def version_of(text: str) -> tuple[int, ...]:
    """The first two numbers in a version's text; (0, 0) when there are none."""
    match = re.search(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def image_store(host: Host) -> Finding:
    """Docker's containerd image store keeps every platform of an image; kind's load then misses layers."""
    if host.image_store is None:
        return warn("Docker does not say how it stores images.", "loading images into kind may fail", "start Docker")
    if "containerd" not in host.image_store:
        return ok(host.image_store)
    return warn(
        f"Docker uses the containerd image store ({host.image_store}).",
        "`kind load docker-image` cannot load an image of several platforms from it",
        "build for one platform (`docker build --platform linux/amd64`), or switch the store off in daemon.json",
    )


def cluster(host: Host) -> Finding:
    found = host.programs["cluster"]
    if found.version is not None:
        return ok(found.version)
    return fail(
        f"No cluster answers: {found.problem}.",
        "this target is installed into it",
        "`kubectl config use-context NAME`, then `kubectl version`",
    )


def aws(host: Host) -> Finding:
    found = host.programs["aws"]
    if found.version is not None:
        return ok(found.version)
    return fail(
        f"aws cannot be used: {found.problem}.",
        "kubectl asks it for tokens of the cluster",
        "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    )


RULES: Final = (
    Rule("python", python, TARGETS),
    Rule("java", java),
    Rule("engines", engines),
    Rule("downloads", downloads),
    Rule("manifests", manifests),
    Rule("file-watch", file_watch),
    *(_tool(name) for name in LEAST),
    Rule("image-store", image_store, ("kind",)),
    Rule("cluster", cluster, ("existing",)),
    Rule("aws", aws, ("eks",)),
)
