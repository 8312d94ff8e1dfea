"""`make e2e NAME=browser`: two people and a phone talk in Chromium; the gateway is killed, the network goes away.

Owns the bars: every message once, complete and in order in the document of all three windows, with the page's own
de-duplication and without; nothing refused by the content security policy; no serious finding of axe in any theme or
width; messages written offline sent once, also from a page that was closed meanwhile; settings that are there after a
reload, and a chart that shows as many messages as were posted. Exit 1 when one is missed.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import axe  # noqa: E402
import httpx  # noqa: E402
import pages  # noqa: E402
import sabotage  # noqa: E402
import window  # noqa: E402
from findings import differences, findings  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402
from rig import REPLAY_PROFILE, Platform, concluded, say  # noqa: E402
from window import Window  # noqa: E402

GONE = "This message was deleted."
MARKUP = "<img src=x onerror=document.title=`broken`> is only text"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["small", "full"], default="full", help="full: 60 turns of talk, small: 12")
    parser.add_argument("--seed", type=int, default=1, help="accepted like elsewhere; nothing here is random")
    parser.add_argument("--pictures", type=Path, help="keep pictures of the page in this folder")
    options = parser.parse_args()
    return concluded("browser", lambda: prove(12 if options.size == "small" else 60, options.pictures))


def prove(turns: int, pictures: Path | None) -> bool:
    proof = Proof()
    with sync_playwright() as playwright, window.launch(playwright) as browser, Platform(REPLAY_PROFILE) as platform:
        say(f"Chromium {browser.version}")
        for dedupe in (True, False):
            kept = pictures if dedupe else None
            proof.talk(Talk(platform, browser, turns, dedupe=dedupe, pictures=kept))
        proof.sabotage(browser, platform.urls["api"])
        proof.inspect(browser, platform.urls["api"])
    say(f"browser: {proof} {'ok' if proof.passed else 'missed'}")
    return proof.passed


@dataclass
class Proof:
    """What was found, over both talks and the inspection."""

    messages: int = 0
    wrong: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    serious: list[str] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    fresh: float | None = None
    inspected: int = 0

    @property
    def passed(self) -> bool:
        done = self.messages and self.inspected and self.fresh is not None
        return bool(done) and not (self.wrong or self.refused or self.serious)

    def talk(self, talk: "Talk") -> None:
        talk.run()
        self.messages += len(talk.truth())
        self.back.append(talk.back_seconds)
        self.wrong += talk.wrong()
        self.refused += [line for _, shown in talk.windows() for line in shown.refusals()]
        for line in (*self.wrong, *self.refused):
            say(f"  {line}")
        if self.fresh is None:
            self.pages(talk)
        talk.close()

    def pages(self, talk: "Talk") -> None:
        """Of the first talk: its settings and its figures."""
        wrong, refused, self.fresh = talk.pages()
        for line in (*wrong, *refused):
            say(f"  {line}")
        self.wrong += wrong
        self.refused += refused

    def sabotage(self, browser: Browser, api: str) -> None:
        """The proof must be able to fail: a lost event is said and healed, a repeated one is seen without the net."""
        found = sabotage.run(browser, api, talk_name(True), "grace_on")
        say(f"sabotaged sockets: {'noticed, healed and seen' if not found else '; '.join(found)}")
        self.wrong += found

    def inspect(self, browser: Browser, api: str) -> None:
        for place, found in axe.inspect(browser, api, talk_name(True), "ada_on"):
            self.inspected += 1
            self.serious += [f"{place}: {each}" for each in found.serious]
            say(f"axe, {place}: {found}")

    def __str__(self) -> str:
        back = max(self.back, default=0.0)
        return (
            f"{self.messages} messages x 3 windows, {len(self.wrong)} wrong, {len(self.refused)} CSP reports, "
            f"{len(self.serious)} serious axe findings in {self.inspected} views, live {back:.1f} s after kill -9, "
            f"figures whole after {self.fresh or 0.0:.1f} s "
            "(bar 0 wrong with and without de-duplication, 0 reports, 0 findings)"
        )


def talk_name(dedupe: bool) -> str:
    return "Engine notes" if dedupe else "Engine notes as sent"


class Talk:
    """Two people in browsers of their own; the third window is a second tab of the first, as wide as a phone."""

    def __init__(
        self, platform: Platform, browser: Browser, turns: int, *, dedupe: bool, pictures: Path | None
    ) -> None:
        self._platform = platform
        self._api = platform.urls["api"]
        self._turns = turns
        self._pictures = pictures
        self._suffix = "on" if dedupe else "off"
        self._query = "" if dedupe else "?dedupe=off"
        self._name = talk_name(dedupe)
        self._light, self._dark = window.context(browser), window.context(browser, scheme="dark")
        self.ada, self.grace = Window(self._light, self._api), Window(self._dark, self._api)
        self.phone = Window(self._light, self._api)
        self.phone.page.set_viewport_size({"width": 360, "height": 720})
        self._channel = ""
        self._written: list[str] = []
        self.back_seconds = 0.0

    def windows(self) -> Iterator[tuple[str, Window]]:
        yield from (("light", self.ada), ("dark", self.grace), ("phone", self.phone))

    def run(self) -> None:
        say(f"talk with de-duplication {self._suffix}")
        self._enter()
        third = self._turns // 3
        self._chat(0, third)
        if self._pictures is not None:
            for name, shown in self.windows():
                shown.picture(self._pictures / f"{name}.png")
        self._kill_the_gateway(third)
        self._chat(third, 2 * third)
        self._one_goes_offline(self.grace, self._dark, 2 * third)
        self._writes_offline_and_closes_the_page()
        self._chat(2 * third, self._turns)
        self._change_some()
        self._settle()

    def close(self) -> None:
        for context in (self._light, self._dark):
            context.close()

    def _enter(self) -> None:
        for person, username, name in ((self.ada, "ada", "Ada Lovelace"), (self.grace, "grace", "Grace Hopper")):
            person.open("/" + self._query)
            person.sign_up(f"{username}_{self._suffix}", name)
        self._channel = self.ada.create(self._name, "Everything about the analytical engine")
        self.grace.join(self._name)
        self.phone.open("/" + self._query)
        self.phone.is_live()
        self.phone.choose(self._name)

    def _says(self, who: Window, text: str) -> None:
        self._written.append(text)
        who.say(text)

    def _chat(self, first: int, last: int) -> None:
        """Turn by turn; each is on the other's screen before the answer is written."""
        for turn in range(first, last):
            who, other = (self.ada, self.grace) if turn % 2 else (self.grace, self.ada)
            if turn % 5 == 4:
                who = self.phone
            text = LINES[turn] if turn < len(LINES) else f"Card {turn} of the deck is through."
            self._says(who, text)
            other.shows(text)

    def _kill_the_gateway(self, turn: int) -> None:
        """Everybody goes on writing while it is away: posts go over HTTP, and what was said arrives afterwards."""
        os.kill(self._platform.process("gateway-0")["pid"], signal.SIGKILL)
        killed = time.monotonic()
        for number, who in enumerate((self.ada, self.grace, self.phone)):
            self._says(who, f"The gateway is gone, but I write on ({turn}.{number}).")
        self.ada.is_not_live()
        for _, shown in self.windows():
            shown.is_live()
        self.back_seconds = time.monotonic() - killed
        say(f"  gateway killed; all three windows live again after {self.back_seconds:.1f} s")

    def _one_goes_offline(self, who: Window, context: Any, turn: int) -> None:
        """Without a network messages wait, in order; what the others said meanwhile is there after the return."""
        context.set_offline(True)
        for number in range(3):
            self._says(who, f"Written without a network ({turn}.{number}).")
            self._says(self.ada, f"Said to somebody who is offline ({turn}.{number}).")
        self.ada.has_sent_all()
        who.is_not_live()
        waiting = who.pending()
        if self._pictures is not None:
            who.picture(self._pictures / "offline.png")
        context.set_offline(False)
        returned = time.monotonic()
        who.is_live()
        who.has_sent_all()
        say(f"  offline: {waiting} messages waited, sent {time.monotonic() - returned:.1f} s after the return")
        if waiting != 3:
            raise AssertionError(f"{waiting} of 3 messages waited: the network was not away")

    def _writes_offline_and_closes_the_page(self) -> None:
        """The queue survives the page: another page of the same browser sends it."""
        self._dark.set_offline(True)
        self._says(self.grace, "Written offline, and then the window was closed.")
        if not self.grace.until(lambda: self.grace.pending() == 1 and self.grace.kept() == 1):
            raise AssertionError("a message written offline is not kept by the browser")
        self.grace.page.close()
        self._dark.set_offline(False)
        self.grace = Window(self._dark, self._api)
        self.grace.open(f"/c/{self._channel}{self._query}")
        self.grace.has_sent_all()
        self.ada.shows(self._written[-1])
        say("  a message of a closed page was sent by the next page")

    def _change_some(self) -> None:
        self._says(self.ada, MARKUP)
        self._says(self.ada, "This wil be corrected.")
        self._says(self.ada, "This will be deleted.")
        for text in self._written[-3:]:
            self.ada.shows(text)
        self.ada.edit("This wil be corrected.", "This was corrected.")
        self.ada.delete("This will be deleted.")
        for _, shown in self.windows():
            shown.shows("This was corrected.")

    def pages(self) -> tuple[list[str], list[str], float]:
        """(what is wrong, what was refused, seconds until the figures were whole) of the pages beside the talk."""
        posted = len(self.truth())
        shown = self.phone
        shown.open("/")
        shown.is_live()
        wrong = pages.choose(shown, self._pictured("settings"))
        found = pages.figures(self.ada, self._channel, posted, self._pictured("analytics"))
        wrong += differences(found, posted) + shown.complaints + self.ada.complaints
        say(f"  settings kept; {found.tile} of {posted} messages in the figures after {found.seconds:.1f} s")
        return wrong, shown.refusals() + self.ada.refusals(), found.seconds

    def _pictured(self, name: str) -> Path | None:
        return None if self._pictures is None else self._pictures / f"{name}.png"

    def _settle(self) -> None:
        wanted = self.truth()
        self.ada.until(lambda: not any(findings(shown.rows(), wanted) for _, shown in self.windows()))

    def truth(self) -> list[tuple[int, str]]:
        """(seq, text) of every message, as the api tells a client that is no browser."""
        with httpx.Client(base_url=self._api, timeout=10, trust_env=False) as http:
            who = {"username": f"ada_{self._suffix}", "password": window.PASSWORD}
            login = http.post("/v1/auth/login", json=who, headers={"X-Signalink-Client": "cli"})
            http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            page = http.get(f"/v1/channels/{self._channel}/messages", params={"after": 0, "limit": 200})
        return [(item["seq"], GONE if item["deleted_at"] else item["body"]) for item in page.json()["items"]]

    def wrong(self) -> list[str]:
        wanted = self.truth()
        found = [f"{name}: {line}" for name, shown in self.windows() for line in findings(shown.rows(), wanted)]
        found += [f"{name}: {line}" for name, shown in self.windows() for line in shown.complaints]
        found += [f"{name} says that something is missing" for name, shown in self.windows() if shown.troubles()]
        bodies = [text for _, text in wanted]
        changed = {"This wil be corrected.", "This will be deleted."}
        for text in self._written:
            if text not in changed and bodies.count(text) != 1:
                found.append(f"{text!r} is in the log {bodies.count(text)} times")
        if len(wanted) != len(self._written):
            found.append(f"{len(self._written)} messages were written, {len(wanted)} are in the log")
        return found


LINES = (
    "Good morning! Did the cards arrive?",
    "They did, all forty of them.",
    "One was punched twice, so I kept it as a spare.",
    "Perfect. Then the engine can weave algebraic patterns, just as the loom weaves flowers and leaves.",
    "I am on my way, be there in ten minutes.",
    "Bring the drawings of the mill, please.",
    "The ones with the carry mechanism?",
    "Yes. I think there is a moth in it.",
    "Taped into the logbook already: first actual case of a bug being found.",
    "Leave it there, nobody will believe us otherwise.",
    "How far did the last run get?",
    "To the eighth Bernoulli number, then the carry stuck.",
    "Same place as on Tuesday.",
    "So it is not the weather.",
    "No. It is the third column, the one with the new spring.",
    "I will have the old one put back.",
    "And then we run the whole deck again, from card one.",
    "Agreed. It should never forget a card, and never take one twice.",
    "That is the whole idea.",
    "See you at four.",
)


if __name__ == "__main__":
    sys.exit(main())
