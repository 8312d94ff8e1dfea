"""Owns the rules on the machine itself: system, processors, memory, limits of the kernel and of this user."""

from typing import Final

from signalink_stacks.doctor.host import Host, Target
from signalink_stacks.doctor.rule import Finding, Rule, fail, ok, size, warn

GB: Final = 2**30
LEAST_MEMORY: Final[dict[Target, int]] = {"local": GB, "kind": 4 * GB}
GOOD_MEMORY: Final[dict[Target, int]] = {"local": 2 * GB, "kind": 8 * GB}
ALONE_LEAST, ALONE_GOOD = 256 * 2**20, 448 * 2**20
"""The same where Kafka does not run: Postgres, Valkey, api and gateway take 240 MB idle, 300 MB at work."""
LEAST_FILES, GOOD_FILES = 512, 4096
LEAST_PROCESSES = 400
LEAST_WATCHES, LEAST_INSTANCES = 8192, 64
LEAST_SHM = 64 * 2**20
SHM: Final = "/dev/shm"  # noqa: S108  that is what it is about
MACHINES: Final = ("x86_64", "aarch64", "arm64")


def system(host: Host) -> Finding:
    found = f"{host.system} on {host.machine}"
    if host.system == "Linux" and host.machine in MACHINES:
        return ok(found)
    return fail(
        f"This is {found}.",
        "the engines come as programs for Linux on x86_64 and arm64",
        "run it in a Linux virtual machine or container",
    )


def cpus(host: Host) -> Finding:
    if host.cpus >= 2:
        return ok(f"{host.cpus:g} CPUs")
    return warn(
        f"{host.cpus:g} CPU may be used.",
        "three engines and the services share it, so starts are slow and times mean little",
        "give this machine or container two CPUs or more",
    )


def memory(host: Host) -> Finding:
    least, good = LEAST_MEMORY[host.target], GOOD_MEMORY[host.target]
    if host.target == "local" and "kafka" not in host.engines:
        least, good = ALONE_LEAST, ALONE_GOOD
    if host.running or host.memory_free >= good:
        return ok(f"{size(host.memory_free)} of memory free")
    judge = fail if host.memory_free < least else warn
    return judge(
        f"{size(host.memory_free)} of memory are free; {size(good)} are comfortable, {size(least)} the least.",
        "without memory the kernel kills a part of the platform",
        "end programs you do not need, or give this machine more memory",
    )


def open_files(host: Host) -> Finding:
    if host.open_files >= GOOD_FILES:
        return ok(f"{host.open_files} open files")
    judge = fail if host.open_files < LEAST_FILES else warn
    return judge(
        f"A process may open {host.open_files} files (`ulimit -n`).",
        "Kafka keeps a few per partition open, a gateway one per socket",
        f"`ulimit -n {GOOD_FILES}` in this shell, then `signalink up`",
    )


def processes(host: Host) -> Finding:
    if host.processes is None or host.processes >= LEAST_PROCESSES:
        return ok("no narrow limit" if host.processes is None else f"{host.processes} processes and threads")
    return fail(
        f"This user may run {host.processes} processes and threads (`ulimit -u`, or the container's limit).",
        f"the platform needs about {LEAST_PROCESSES}, and a fork that fails stops a part of it",
        f"`ulimit -u {4 * LEAST_PROCESSES}`, or start the container with a larger pids limit",
    )


def inotify(host: Host) -> Finding:
    wanted = {"fs.inotify.max_user_watches": LEAST_WATCHES, "fs.inotify.max_user_instances": LEAST_INSTANCES}
    low = {name: least for name, least in wanted.items() if host.kernel.get(name, least) < least}
    if not low:
        return ok(", ".join(f"{name.rsplit('.', 1)[1]} {host.kernel.get(name, '?')}" for name in wanted))
    return warn(
        "; ".join(f"{name} is {host.kernel[name]}" for name in low) + ".",
        "watching files for edits runs out of watches",
        f"`sudo sysctl {' '.join(f'{name}={least}' for name, least in low.items())}`",
    )


def kernel(host: Host) -> Finding:
    """`vm.overcommit_memory` 2 counts what is reserved, and a JVM reserves much more than it uses."""
    low = {
        name: least
        for name, least in {"vm.max_map_count": 65530, "net.core.somaxconn": 512, "kernel.shmmni": 64}.items()
        if host.kernel.get(name, least) < least
    }
    if host.kernel.get("vm.overcommit_memory") == 2:
        low["vm.overcommit_memory"] = 0
    if not low:
        return ok("maps, backlog, segments and overcommit as usual")
    return warn(
        "; ".join(f"{name} is {host.kernel[name]}" for name in low) + ".",
        "Kafka maps files, a busy port needs its backlog, and Postgres needs a segment of shared memory",
        f"`sudo sysctl {' '.join(f'{name}={value}' for name, value in low.items())}`",
    )


def shared_memory(host: Host) -> Finding:
    if host.shm_free is not None and host.shm_free >= LEAST_SHM:
        return ok(f"{SHM} has {size(host.shm_free)} free")
    found = "is not there or not writable" if host.shm_free is None else f"has {size(host.shm_free)} free"
    return warn(
        f"{SHM} {found}.",
        "the tests keep their engines' data there; without it they are slow",
        f"`sudo mount -o remount,size=1G {SHM}`, or start the container with --shm-size=1g",
    )


def postgres_user(host: Host) -> Finding:
    """Postgres refuses to run as root."""
    kind, _, uid = host.postgres_as.partition(":")
    if host.uid != 0:
        return ok(f"Postgres runs as this user ({host.uid})")
    if kind == "namespace":
        return ok(f"Postgres runs as uid {uid} in a user namespace")
    if host.state.hidden_from:
        return fail(
            f"As root, Postgres must run as uid {uid}, which may not enter {host.state.hidden_from}.",
            "user namespaces are refused here, and Postgres never runs as root",
            f"`chmod o+x {host.state.hidden_from}`, or SIGNALINK_STATE=/var/tmp/signalink, or run it as another user",
        )
    return ok(f"Postgres runs as uid {uid}, since user namespaces are refused here")


RULES: Final = (
    Rule("system", system),
    Rule("cpus", cpus, ("local", "kind")),
    Rule("memory", memory, ("local", "kind")),
    Rule("open-files", open_files, ("local", "kind")),
    Rule("processes", processes),
    Rule("inotify", inotify, ("local", "kind")),
    Rule("kernel", kernel),
    Rule("shared-memory", shared_memory),
    Rule("postgres-user", postgres_user),
)
