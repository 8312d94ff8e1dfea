"""Accessibility as axe-core judges it: every view in light and dark, wide and as narrow as a phone.

The rules run in contexts that ignore the content security policy, since they are injected; no other context does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser
from window import Window

SOURCE = Path(__file__).resolve().parents[3] / "services/ui/node_modules/axe-core/axe.min.js"
RUN = (
    """() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"""
)
SERIOUS = {"serious", "critical"}
VIEWS = (("light", 1180), ("dark", 1180), ("light", 360), ("dark", 360))


@dataclass(frozen=True)
class Found:
    """Findings of one view: `serious` ones in words, how many lesser ones, how many rules passed."""

    serious: list[str]
    lesser: list[str]
    passed: int

    def __str__(self) -> str:
        lesser = f"{len(self.lesser)} lesser ({', '.join(self.lesser)})" if self.lesser else "nothing lesser"
        return f"{self.passed} rules kept, {len(self.serious)} serious findings, {lesser}"


def inspect(browser: Browser, address: str, channel: str, username: str) -> Iterator[tuple[str, Found]]:
    """(view, findings) of each screen of somebody who is a member of the channel."""
    for scheme, width in VIEWS:
        context = browser.new_context(
            bypass_csp=True,
            color_scheme="dark" if scheme == "dark" else "light",
            viewport={"width": width, "height": 720},
            reduced_motion="reduce",
        )
        shown = Window(context, address)
        shown.open()
        for place in _places(shown, channel, username):
            yield f"{place}, {scheme}, {width} px", _judge(shown)
        context.close()


def _places(shown: Window, channel: str, username: str) -> Iterator[str]:
    page = shown.page
    page.get_by_role("button", name="Open an account").click()
    yield "sign up"
    page.get_by_role("button", name="Sign in").click()
    yield "sign in"
    shown.sign_in(username, "wrong on purpose")
    page.get_by_role("alert").wait_for()
    yield "sign in refused"
    shown.sign_in(username)
    shown.is_live()
    yield "channels"
    page.get_by_role("button", name="Browse channels").first.click()
    page.get_by_role("button", name=f"Open {channel}").wait_for()
    yield "browse"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Create a channel").first.click()
    yield "create"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Settings").click()
    page.locator(".choice-table").wait_for()
    page.get_by_label("Keep quiet at certain hours").check()
    page.get_by_text("Register a device by hand").click()
    yield "settings"
    page.go_back()
    page.get_by_role("button", name="Analytics", exact=True).click()
    page.locator(".chart canvas").first.wait_for()
    page.get_by_text("As a table").first.click()
    yield "analytics"
    page.locator(".ranking").get_by_role("button", name=channel, exact=True).click()
    page.get_by_role("heading", level=1, name=channel).wait_for()
    page.locator(".chart canvas").first.wait_for()
    yield "analytics of a channel"
    page.go_back()
    page.go_back()
    shown.choose(channel)
    page.locator(".message[data-seq]").first.wait_for()
    yield "conversation"
    page.get_by_role("button", name="Members:").click()
    yield "members"


def _judge(shown: Window) -> Found:
    shown.page.evaluate(SOURCE.read_text(encoding="utf-8"))
    result: dict[str, Any] = shown.page.evaluate(RUN)
    serious, lesser = [], []
    for violation in result["violations"]:
        where = "; ".join(" ".join(map(str, node["target"])) for node in violation["nodes"][:3])
        if violation["impact"] in SERIOUS:
            serious.append(f"{violation['id']}: {violation['help']} at {where}")
        else:
            lesser.append(f"{violation['id']} at {where}")
    return Found(serious, lesser, len(result["passes"]))
