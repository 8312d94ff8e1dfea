"""Gathers the facts of a `Host` from this machine; thin, no judgement, and it changes nothing that stays.

Owns the order of asking. How programs are asked is in `programs`, the kernel in `kernelfacts`, processes in `family`.
"""

import os
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

import signalink_stacks
from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_core.manifest import ServiceManifest
from signalink_stacks.cloud import account as cloud_account
from signalink_stacks.cloud import graph
from signalink_stacks.doctor import family, kernelfacts, programs
from signalink_stacks.doctor.host import Clock, Host, Port, State, Target
from signalink_stacks.local import discovery, layout, ports
from signalink_stacks.local.choice import ALL_ENGINES
from signalink_stacks.local.engines import jars, postgres
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.state import VERSION, StateFolder

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def gather(target: Target, folder: StateFolder, wishes: Wishes) -> Host:
    """About half a second: a few programs say their versions."""
    known, problem = manifests(wishes)
    found = family.of(folder)
    needs_ports = target == "local" and not found.running and not wishes.free_ports
    identity = postgres.identity() if target == "local" else "same"
    return Host(
        target=target,
        state=state(folder, identity),
        system=platform.system(),
        machine=platform.machine(),
        python=sys.version_info[:2],
        uid=os.geteuid(),
        cpus=kernelfacts.cpus(),
        memory_free=kernelfacts.memory_free(),
        open_files=kernelfacts.open_files(),
        processes=kernelfacts.processes(),
        kernel=kernelfacts.settings(),
        outgoing_ports=kernelfacts.outgoing_ports(),
        shm_free=kernelfacts.shm_free(),
        postgres_as=identity,
        ports=taken(layout.fixed_ports(known, wishes)) if needs_ports else (),
        manifest_problem=problem,
        programs=programs.of_target(target),
        jars=jars.is_complete(),
        cache_free=psutil.disk_usage(str(nearest(jars.root()))).free,
        leftovers=found.leftovers,
        proxies={name: value for name, value in os.environ.items() if name.lower() in PROXIES and value},
        clock=clock(folder.root),
        watch_problem=kernelfacts.watch_problem(Path(signalink_stacks.__file__).parent),
        image_store=programs.image_store() if target == "kind" else None,
        running=found.running,
        engines=ALL_ENGINES if problem else layout.selected(known, wishes).engines,
        account=cloud_account.gather() if target == "eks" else None,
        wheels={}
        if target == "local"
        else programs.wheels(Path(signalink_stacks.__file__).resolve().parents[2] / graph.ENVIRONMENT),
        plugins={} if target == "local" else programs.plugins(),
    )


def manifests(wishes: Wishes) -> tuple[list[ServiceManifest], tuple[str, str] | None]:
    """Those of all services, or what is wrong with the first broken one and what to do."""
    try:
        found = discovery.manifests(wishes.packages)
        layout.in_order(layout.selected(found, wishes).services)
    except ConfigurationError as error:
        return [], (error.detail, error.next_step or "correct that file")
    except SignalinkError as error:
        return [], (error.detail, error.next_step or "correct the manifests")
    return found, None


def taken(wanted: Mapping[str, int]) -> tuple[Port, ...]:
    """Each port with who has it."""
    busy = {number for number in wanted.values() if not ports.is_free(number)}
    holders = ports.holders() if busy else {}
    unseen = ports.Holder(None, "a process of another user")
    return tuple(
        Port(name, number, str(holders.get(number, unseen)) if number in busy else None)
        for name, number in wanted.items()
    )


def nearest(path: Path) -> Path:
    """The path itself, or the first folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def state(folder: StateFolder, identity: str) -> State:
    there = nearest(folder.root)
    version = folder.found_version()
    return State(
        root=folder.root,
        version=version,
        problem=write_problem(folder.root),
        mode=folder.root.stat().st_mode & 0o777 if folder.root.is_dir() and version == VERSION else None,
        disk_free=psutil.disk_usage(str(there)).free,
        file_system=kernelfacts.file_system(there),
        hidden_from=hidden(there) if identity.startswith("uid:") else "",
    )


def write_problem(root: Path) -> str:
    """Why nothing can be written there, found by trying; empty when it can."""
    there = nearest(root)
    if not there.is_dir():
        return f"{there} is not a folder"
    trial = there / f".signalink-trial-{os.getpid()}"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def hidden(path: Path) -> str:
    """The first folder above `path` (but not it: that one is ours) that other users may not enter."""
    for each in reversed(path.parents):
        if not each.stat().st_mode & 0o001:
            return str(each)
    return ""


def clock(root: Path) -> Clock:
    installed = Path(signalink_stacks.__file__).stat().st_mtime
    now = time.time()
    return Clock(
        behind=max(0.0, installed - now),
        disk_offset=kernelfacts.disk_offset(nearest(root)),
        synchronised=kernelfacts.clock_synchronised(),
    )
