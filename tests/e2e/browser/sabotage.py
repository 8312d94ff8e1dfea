"""What the page does when a socket misbehaves: one that loses an event, and one that repeats an event.

Frames are lost and repeated between the real gateway and the page. A lost one must be said on the page and then be
there; a repeated one must be shown once, and twice with `?dedupe=off`, or that flag would prove nothing.
"""

import json
from collections.abc import Callable

import window
from playwright.sync_api import Browser, WebSocketRoute
from window import Window

WATCH = """() => { globalThis.troubles = 0; new MutationObserver(() => {
  globalThis.troubles += document.querySelectorAll('[data-trouble="hole"]').length;
}).observe(document, {childList: true, subtree: true}); }"""
LOST, REPEATED = "This one is lost on its way.", "This one comes twice."
Handle = Callable[[WebSocketRoute, str], None]


def run(browser: Browser, address: str, channel: str, username: str) -> list[str]:
    """What went otherwise than it must, in words."""
    return [
        *_lost(browser, address, channel, username),
        *_repeated(browser, address, channel, username, ""),
        *_repeated(browser, address, channel, username, "?dedupe=off"),
    ]


def _lost(browser: Browser, address: str, channel: str, username: str) -> list[str]:
    lost: list[str] = []

    def lose(socket: WebSocketRoute, frame: str) -> None:
        if LOST in frame and not lost:
            lost.append(frame)
        else:
            socket.send(frame)

    shown = _opened(browser, address, channel, username, lose, "")
    shown.page.evaluate(f"({WATCH})()")
    shown.say(LOST)
    shown.until(lambda: bool(lost))
    shown.say("This one arrives beyond the hole.")
    shown.shows("This one arrives beyond the hole.")
    found = []
    if not lost:
        found.append("no frame was lost")
    if shown.row(LOST).count() != 1:
        found.append(f"the lost message is there {shown.row(LOST).count()} times")
    if not shown.page.evaluate("globalThis.troubles"):
        found.append("the page never said that an event was missing")
    if shown.troubles():
        found.append("the page still says that an event is missing")
    shown.page.context.close()
    return found


def _repeated(browser: Browser, address: str, channel: str, username: str, query: str) -> list[str]:
    text = f"{REPEATED} {query or 'usual'}"
    wanted = 2 if query else 1

    def repeat(socket: WebSocketRoute, frame: str) -> None:
        socket.send(frame)
        if text in frame and json.loads(frame)["op"] == "event":
            socket.send(frame)

    shown = _opened(browser, address, channel, username, repeat, query)
    shown.say(text)
    shown.has_sent_all()
    after = f"What comes after it ({query or 'usual'})."
    shown.say(after)
    shown.shows(after)
    count = shown.row(text).count()
    shown.page.context.close()
    return [] if count == wanted else [f"a repeated event is there {count} times with {query or 'de-duplication'}"]


def _opened(browser: Browser, address: str, channel: str, username: str, handle: Handle, query: str) -> Window:
    """A signed-in window in the channel whose sockets pass each frame of the gateway through `handle`."""
    made = Window(window.context(browser), address)

    def between(socket: WebSocketRoute) -> None:
        gateway = socket.connect_to_server()
        gateway.on_message(lambda frame: handle(socket, frame if isinstance(frame, str) else frame.decode()))

    made.page.route_web_socket("**/v1/socket", between)
    made.open("/" + query)
    made.sign_in(username)
    made.is_live()
    made.choose(channel)
    return made
