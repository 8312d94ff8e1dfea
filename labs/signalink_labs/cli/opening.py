"""Owns `signalink open`: the addresses of the running platform, opened in the browser where there is one."""

import sys
import urllib.error
import urllib.request
import webbrowser
from enum import StrEnum
from typing import Annotated

import typer

from signalink_core.errors import NotFound
from signalink_labs.cli import output
from signalink_stacks.local import control
from signalink_stacks.local.state import StateFolder

PAGE_SECONDS = 3.0


class Place(StrEnum):
    API = "api"
    GATEWAY = "gateway"
    UI = "ui"


def open_(
    place: Annotated[Place, typer.Argument(help="What to open.")] = Place.UI,
    only_print: Annotated[bool, typer.Option("--print", help="Print the address and open nothing.")] = False,
    as_json: output.Json = False,
) -> None:
    """Open the page (or the api) of the running platform in the browser; without one, print its address."""
    url = address(place, control.require_running(StateFolder()).urls)
    opened = not (only_print or as_json) and is_page(url) and sys.stdout.isatty() and webbrowser.open(url)
    if as_json:
        output.document({"place": place.value, "url": url, "opened": opened})
    else:
        output.text(url)


def address(place: Place, urls: dict[str, str]) -> str:
    """The page is served by the api at `/`. NotFound when this platform has no such place."""
    if place is not Place.UI:
        if place.value not in urls:
            raise NotFound(f"This platform runs no {place.value}.", next_step="`signalink status`")
        return urls[place.value]
    url = f"{address(Place.API, urls)}/"
    if not serves_page(url):
        raise NotFound(
            f"The api serves no page at {url}.",
            next_step="`make ui` builds the page, then `signalink down` and `signalink up`",
        )
    return url


def is_page(url: str) -> bool:
    """A socket's address is nothing for a browser."""
    return url.startswith("http")


def serves_page(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=PAGE_SECONDS) as answer:
            return "text/html" in answer.headers.get("content-type", "")
    except (urllib.error.URLError, OSError):
        return False
