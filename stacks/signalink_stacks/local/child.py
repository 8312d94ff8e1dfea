"""Owns how a child process begins: it dies with its parent, and never runs as root where that is refused.

Run as a script (`python -I -S child.py PARENT SIGNAL IDENTITY -- COMMAND...`), so that no Python code runs between fork
and exec of a threaded parent. IDENTITY: `same`, `namespace:UID` (this user under another uid in a user namespace) or
`uid:UID` (really another user; needs root). Exit 125: this launcher could not prepare the child.
"""

import ctypes
import os
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
LAUNCH_FAILED = 125


def enter_namespace(uid: int) -> None:
    """Become `uid` in a new user namespace that maps it to the present user; files keep their owner outside."""
    inner, outer_uid, outer_gid = uid, os.geteuid(), os.getegid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are refused here")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inner} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{inner} {outer_gid} 1")


def become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def assume(identity: str) -> None:
    kind, _, uid = identity.partition(":")
    if kind == "namespace":
        enter_namespace(int(uid))
    elif kind == "uid":
        become(int(uid))


def main(argv: list[str]) -> None:
    parent, death_signal, identity = int(argv[1]), int(argv[2]), argv[3]
    command = argv[argv.index("--") + 1 :]
    assume(identity)
    if death_signal:
        # After the change of identity: the kernel forgets the death signal when credentials change.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            raise OSError("the parent is gone")
    os.execvp(command[0], command)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    try:
        main(sys.argv)
    except OSError as error:
        sys.stderr.write(f"launcher: {error}\n")
        sys.exit(LAUNCH_FAILED)
