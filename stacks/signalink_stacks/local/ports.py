"""Owns free ports and the question who holds a taken one. Leaves the choice of fixed numbers to the manifests."""

import random
import socket
from dataclasses import dataclass
from typing import Any

import psutil

LOOPBACK = "127.0.0.1"
CHOICE = (20000, 32000)
ATTEMPTS = 200
_given: set[int] = set()


@dataclass(frozen=True, slots=True)
class Holder:
    """The process behind a listening port, as far as this user may see it."""

    pid: int | None
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.pid else self.name


def free_port() -> int:
    """A port that is free now, never one that this process was given before.

    It lies below the range of outgoing connections, which could otherwise take it before it is bound.
    """
    for _ in range(ATTEMPTS):
        port = random.randrange(*CHOICE)  # noqa: S311  chance, not secrecy
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise OSError(f"no free port between {CHOICE[0]} and {CHOICE[1]} in {ATTEMPTS} attempts")


def is_free(port: int) -> bool:
    """Whether a server could be bound on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def holders() -> dict[int, Holder]:
    """Port -> who listens on it, as far as this user may see."""
    try:
        connections: list[Any] = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return {}
    return {each.laddr.port: _named(each.pid) for each in connections if each.status == psutil.CONN_LISTEN}


def _named(pid: int | None) -> Holder:
    if pid is None:
        return Holder(None, "a process of another user")
    try:
        return Holder(pid, psutil.Process(pid).name())
    except psutil.Error:
        return Holder(pid, "a process")


def exchange(port: int, request: bytes, timeout: float = 0.5) -> bytes:
    """The first bytes that are answered to a request on the port; none when nobody answers in time (seconds)."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(request)
            return connection.recv(4096)
    except OSError:
        return b""


def listens(pid: int, port: int) -> bool:
    """Whether this process or a child of it listens on the port: an answer there could be somebody else's."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        found: list[Any] = [connection for each in family for connection in each.net_connections("tcp")]
    except psutil.Error:
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in found)
