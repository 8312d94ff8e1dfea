"""Owns the rules on the state folder and the caches: space, rights, version, what an earlier run has left behind."""

from typing import Final

from signalink_stacks.doctor.host import Host
from signalink_stacks.doctor.rule import Finding, Rule, fail, ok, size, warn
from signalink_stacks.local.state import VERSION

NEEDED_BYTES: Final = 700 * 2**20
"""Space for a new platform: Postgres 60 MB and its log 512 MB at most, Kafka, logs."""
CACHE_BYTES: Final = 200 * 2**20
"""Kafka's jars (45 MB) and the JVM's cache (66 MB), while they are made."""
GOOD_BYTES: Final = 3 * 2**30
FAR_AWAY: Final = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "drvfs", "vboxsf", "virtiofs")


def disk(host: Host) -> Finding:
    free = host.state.disk_free
    if host.state.problem:
        return ok("nothing can be written there, which is another rule's")
    if "kafka" in host.engines and not host.jars and host.cache_free < CACHE_BYTES:
        return fail(
            f"The folder of caches has {size(host.cache_free)} free; the first start needs {size(CACHE_BYTES)}.",
            "Kafka's jars are downloaded once",
            "free some space, or put the caches elsewhere: XDG_CACHE_HOME=FOLDER signalink up",
        )
    if free >= GOOD_BYTES or (host.running and free >= NEEDED_BYTES):
        return ok(f"{size(free)} free")
    judge = fail if free < NEEDED_BYTES else warn
    return judge(
        f"{host.state.root} has {size(free)} free; the platform needs {size(NEEDED_BYTES)}.",
        "a full disk stops Postgres and Kafka",
        "free some space, or put the state elsewhere: SIGNALINK_STATE=FOLDER signalink up",
    )


def file_system(host: Host) -> Finding:
    if host.state.file_system not in FAR_AWAY:
        return ok(host.state.file_system or "not known")
    return warn(
        f"{host.state.root} is on {host.state.file_system}.",
        "databases on a shared folder are slow, and its locks and rights may not hold",
        "put the state on a disk of this machine: SIGNALINK_STATE=FOLDER signalink up",
    )


def state_rights(host: Host) -> Finding:
    state = host.state
    if state.problem:
        return fail(
            f"The state folder {state.root} cannot be written: {state.problem}.",
            "the platform keeps its data, secrets and logs there",
            f"give this user the right to write {state.root.parent}, or set SIGNALINK_STATE=FOLDER",
        )
    if state.mode is not None and state.mode & 0o077:
        return warn(
            f"The state folder {state.root} is open to others (mode {state.mode:o}).",
            "secrets and messages are in it; the next start closes it",
            f"`chmod 700 {state.root}`",
        )
    return ok(f"{state.root} is yours alone" if state.mode is not None else f"{state.root} can be made")


def state_version(host: Host) -> Finding:
    found = host.state.version
    if found in (None, VERSION):
        return ok("nothing is there yet" if found is None else f"version {found}")
    return fail(
        f"The state folder {host.state.root} is of version {found}; this program reads version {VERSION}.",
        "data of another version would be misread",
        "`signalink down --purge` deletes it with its data; or keep it: SIGNALINK_STATE=OTHER_FOLDER",
    )


def leftovers(host: Host) -> Finding:
    strange = [each for each in host.leftovers if not each.ours]
    if strange:
        return warn(
            "; ".join(f"{each.name} (pid {each.pid}) runs without its state folder" for each in strange) + ".",
            "it holds memory and ports, and no command finds it any more",
            f"`kill {' '.join(str(each.pid) for each in strange)}`",
        )
    if host.leftovers:
        return warn(
            "; ".join(f"{each.name} (pid {each.pid}) is left of a run whose supervisor died" for each in host.leftovers)
            + ".",
            "it holds memory and ports; `signalink up` ends it first",
            "`signalink down`",
        )
    return ok("the platform runs" if host.running else "no process of an earlier run")


RULES: Final = (
    Rule("disk", disk),
    Rule("file-system", file_system),
    Rule("state-rights", state_rights),
    Rule("state-version", state_version),
    Rule("leftovers", leftovers),
)
