"""Owns what a deployed stack must do before it counts as deployed: its addresses answer."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

SECONDS: Final = 300.0
PAUSE: Final = 3.0
PATH: Final = "/healthz"
Wait = Callable[[float], None]


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
