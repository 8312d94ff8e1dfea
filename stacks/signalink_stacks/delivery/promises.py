"""Owns what a deployed stack must do before it counts as deployed: addresses answer, or its charts' Jobs succeed."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from signalink_stacks.cloud.graph import Graph
from signalink_stacks.clusters.plan import Access
from signalink_stacks.delivery import hooks

PROVIDER: Final = "pulumi:providers:kubernetes"
NAMED: Final = ("kind", "existing")
"""Targets whose cluster is reached by a context of the stack, and whose addresses may be nowhere but there."""
SECONDS: Final = 300.0
PAUSE: Final = 3.0
PATH: Final = "/healthz"
Wait = Callable[[float], None]


def of(stack: Graph, say: Callable[[str], None]) -> Callable[[Mapping[str, Any]], str]:
    """What a stack promises: on a cluster that it names, what its charts do; elsewhere, that its addresses answer."""
    provider = next((each for each in stack.resources if each.type == PROVIDER and each.inputs.get("context")), None)
    if provider is None or stack.target not in NAMED:
        return answering()
    access = Access(str(provider.inputs.get("kubeconfig") or ""), str(provider.inputs["context"]))
    return lambda _: hooks.promise(hooks.charts(stack.resources), access, say)


def answering(seconds: float = SECONDS, wait: Wait = time.sleep) -> Callable[[Mapping[str, Any]], str]:
    """A promise: each http address in the output `urls` answers below 500 within so many seconds."""

    def promise(outputs: Mapping[str, Any]) -> str:
        urls = [url for url in dict(outputs.get("urls") or {}).values() if str(url).startswith("http")]
        if not urls:
            return "The stack's outputs name no address."
        ends = time.monotonic() + seconds
        problems = {url: problem for url in urls if (problem := ask(url))}
        while problems and time.monotonic() < ends:
            wait(PAUSE)
            problems = {url: problem for url in problems if (problem := ask(url))}
        return "; ".join(f"{url} {problem}" for url, problem in problems.items()) + "." if problems else ""

    return promise


def ask(url: str) -> str:
    """What is wrong with one address; empty when it answers."""
    try:
        found = httpx.get(f"{url.rstrip('/')}{PATH}", timeout=5.0)
    except httpx.HTTPError as error:
        return f"does not answer ({type(error).__name__})"
    return "" if found.status_code < 500 else f"answers {found.status_code}"
