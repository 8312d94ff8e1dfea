"""Owns the rules on ports, proxies and the clock: what other programs and machines have to do with this one."""

from typing import Final
from urllib.parse import urlsplit

from signalink_stacks.doctor.host import TARGETS, Host
from signalink_stacks.doctor.rule import Finding, Rule, fail, ok, warn

LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "*", "127.0.0.0/8")
MOST_OFFSET = 5.0
DAY = 86_400.0


def ports(host: Host) -> Finding:
    taken = [port for port in host.ports if port.holder is not None]
    if taken:
        return fail(
            "; ".join(f"port {port.number} ({port.name}) is held by {port.holder}" for port in taken) + ".",
            "two programs cannot have one port",
            "stop it, or let the platform choose: `signalink up --ports free`",
        )
    if not host.ports:
        return ok("the platform runs on its ports" if host.running else "free ones will be chosen")
    return ok(f"{len(host.ports)} ports are free")


def outgoing_ports(host: Host) -> Finding:
    if host.outgoing_ports is None:
        return ok("the kernel does not say which ports it gives to outgoing connections")
    low, high = host.outgoing_ports
    inside = [port.number for port in host.ports if low <= port.number <= high]
    if not inside:
        return ok(f"outgoing connections take {low} to {high}")
    return warn(
        f"Outgoing connections take ports {low} to {high}; the platform's {', '.join(map(str, inside))} are there.",
        "an outgoing connection may sit on a port just when a part starts again",
        "`sudo sysctl net.ipv4.ip_local_port_range='32768 60999'`",
    )


def proxy(host: Host) -> Finding:
    proxies = {name: value for name, value in host.proxies.items() if not name.lower().startswith("no_")}
    odd = sorted(name for name, value in proxies.items() if not urlsplit(value).hostname)
    if odd:
        return warn(
            f"{', '.join(odd)} is not an address like http://proxy:3128.",
            "downloads will fail",
            f"`export {odd[0]}=http://HOST:PORT`, or `unset {odd[0]}`",
        )
    spared = ",".join(value for name, value in host.proxies.items() if name.lower() == "no_proxy")
    if not proxies or {entry.strip() for entry in spared.split(",")} & set(LOOPBACK_NAMES):
        return ok(f"{len(proxies)} set, loopback is spared" if proxies else "none is set")
    return warn(
        f"{', '.join(sorted(proxies))} is set, and NO_PROXY does not name 127.0.0.1.",
        "your own programs would look for the platform behind the proxy",
        "`export NO_PROXY=localhost,127.0.0.1`",
    )


def clock(host: Host) -> Finding:
    found = host.clock
    if found.behind > DAY:
        return fail(
            f"The clock is {found.behind / DAY:.0f} days behind the files of this program.",
            "downloads are refused by their certificates, and times are wrong",
            "set it: `sudo timedatectl set-ntp true`, or `sudo date -s ...`",
        )
    if abs(found.disk_offset) > MOST_OFFSET:
        return warn(
            f"File times differ from the clock by {found.disk_offset:.0f} s.",
            "the state folder is on another machine whose clock differs",
            "put it on a disk of this machine: SIGNALINK_STATE=FOLDER",
        )
    if found.synchronised is False and host.target != "local":
        return warn(
            "The clock is not synchronised.",
            "tokens and certificates are judged by the clocks of two machines",
            "`sudo timedatectl set-ntp true`",
        )
    return ok("synchronised" if found.synchronised else "one machine, one clock")


RULES: Final = (
    Rule("ports", ports),
    Rule("outgoing-ports", outgoing_ports),
    Rule("proxy", proxy, TARGETS),
    Rule("clock", clock, TARGETS),
)
