"""Owns what a deployed stack must do before it counts as deployed: addresses answer, or its charts' Jobs succeed.

A stack that nobody reaches from outside has no address to ask: then the update itself, which waits for its pods or its
machine, is all there is, and that is said.
"""

import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from signalink_stacks.cloud.graph import Graph
from signalink_stacks.clusters.plan import Access
from signalink_stacks.delivery import hooks

PROVIDER: Final = "pulumi:providers:kubernetes"
NAMED: Final = ("kind", "existing")
"""Targets whose cluster is reached by a context of the stack, and whose addresses may be nowhere but there."""
SECONDS: Final = 300.0
BOOT_SECONDS: Final = 1500.0
"""Of a machine that installs everything at its first start."""
PAUSE: Final = 3.0
PATH: Final = "/healthz"
DROPPED: Final = "does not answer (ConnectTimeout)"
Wait = Callable[[float], None]
Say = Callable[[str], None]


def of(stack: Graph, say: Say) -> Callable[[Mapping[str, Any]], str]:
    """What a stack promises: on a cluster that it names, what its charts do; elsewhere, that its addresses answer."""
    provider = next((each for each in stack.resources if each.type == PROVIDER and each.inputs.get("context")), None)
    if provider is None or stack.target not in NAMED:
        return answering(BOOT_SECONDS, say=say, shut=SECONDS) if stack.target == "aws-lite" else answering(say=say)
    access = Access(str(provider.inputs.get("kubeconfig") or ""), str(provider.inputs["context"]))
    return lambda _: hooks.promise(hooks.charts(stack.resources), access, say)


def silent(_: str) -> None:
    """For who asks for the answer alone."""


def answering(
    seconds: float = SECONDS, wait: Wait = time.sleep, say: Say = silent, shut: float | None = None
) -> Callable[[Mapping[str, Any]], str]:
    """A promise: each http address in the output `urls` answers below 500 within so many seconds.

    Kept, and told, where `urls` is there and empty, and of names whose `records` somebody else must write first. Where
    `shut` is given, also of those that have taken no connection from here for so long: a door for named networks alone
    lets requests of others fall, while a machine whose programs are not there yet refuses them.
    """

    def promise(outputs: Mapping[str, Any]) -> str:
        if "urls" not in outputs:
            return "The stack's outputs name no addresses (`urls`)."
        begun = time.monotonic()
        problems = {url: problem for url in due(outputs, say) if (problem := ask(url))}
        dropped = {url for url, problem in problems.items() if problem == DROPPED}
        while problems and (past := time.monotonic() - begun) < seconds:
            if dropped and shut is not None and past >= shut:
                problems = {url: problem for url, problem in problems.items() if url not in dropped}
                outside(dropped, shut, say)
                dropped = set()
                continue
            wait(PAUSE)
            problems = {url: problem for url in problems if (problem := ask(url))}
            dropped &= {url for url, problem in problems.items() if problem == DROPPED}
        return "; ".join(f"{url} {problem}" for url, problem in problems.items()) + "." if problems else ""

    return promise


def due(outputs: Mapping[str, Any], say: Say) -> list[str]:
    """Addresses that are to answer; which are not, and why, is told."""
    urls = [url for url in dict(outputs["urls"] or {}).values() if str(url).startswith("http")]
    if not urls:
        say("promises: none asked, nobody reaches the stack from outside; the update waited for what it made")
    unwritten = {url for url in urls if outputs.get("records") and not resolves(url)}
    for host in hosts(unwritten):
        say(f"promises: {host} is not asked, it has no DNS record yet. Next: write those of the output `records`")
    return [url for url in urls if url not in unwritten]


def outside(urls: Iterable[str], seconds: float, say: Say) -> None:
    """What could not be looked at from here, and from where it can."""
    for host in hosts(urls):
        say(
            f"promises: nobody looked at {host}: it took no connection from here for {seconds:.0f} s, as from outside"
            " of aws.endpointCidrs. Next: look from one of those networks, or deploy from there (SIGNALINK_RUNNER)"
        )


def hosts(urls: Iterable[str]) -> list[str]:
    return sorted({str(urlsplit(url).hostname) for url in urls})


def resolves(url: str) -> bool:
    """Whether anybody's DNS knows the host of an address."""
    try:
        return bool(socket.getaddrinfo(urlsplit(url).hostname, None))
    except OSError:
        return False


def ask(url: str) -> str:
    """What is wrong with one address; empty when it answers."""
    try:
        found = httpx.get(f"{url.rstrip('/')}{PATH}", timeout=5.0)
    except httpx.HTTPError as error:
        return f"does not answer ({type(error).__name__})"
    return "" if found.status_code < 500 else f"answers {found.status_code}"
