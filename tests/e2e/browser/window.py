"""One browser window of one person: what a person does and reads there, through the page's own words and roles.

Owns the way to the elements; what must be true is the program's. Knows nothing of the platform behind the page.
"""

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from findings import Rows
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "a long walk by the sea"
PATIENCE_MS = 20_000
ROWS = """() => [...document.querySelectorAll('.messages .message[data-seq]')].map((row) => [
  Number(row.dataset.seq), row.querySelector('.message-text, .message-gone')?.textContent ?? '<nothing>'])"""
KEPT = """() => new Promise((resolve, reject) => {
  const opening = indexedDB.open('signalink');
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const counting = opening.result.transaction('outbox').objectStore('outbox').count();
    counting.onsuccess = () => { opening.result.close(); resolve(counting.result); };
  };
})"""
REPORTS = """() => {
  globalThis.reports = [];
  addEventListener('securitypolicyviolation', (event) =>
    globalThis.reports.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
}"""


def launch(playwright: Playwright) -> Browser:
    """The system's own Chromium, without a window."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise FileNotFoundError("There is no Chromium. Next: install one (Debian, Ubuntu: apt-get install chromium)")
    return playwright.chromium.launch(executable_path=found, args=ARGUMENTS)


def context(browser: Browser, *, scheme: str = "light", width: int = 1180, height: int = 760) -> BrowserContext:
    """A browser profile of its own, with an ear for what the content security policy refuses."""
    made = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        locale="en-GB",
    )
    made.set_default_timeout(PATIENCE_MS)
    made.add_init_script(f"({REPORTS})()")
    return made


class Window:
    """A page in a context. `complaints`: what the browser's console said of errors and refusals."""

    def __init__(self, at: BrowserContext, address: str) -> None:
        self.page: Page = at.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self._address = address

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(("Failed to load resource", "WebSocket connection")):
            self.complaints.append(message.text)

    def open(self, path: str = "/") -> None:
        self.page.goto(self._address + path)

    def sign_up(self, username: str, name: str) -> None:
        page = self.page
        page.get_by_role("button", name="Open an account").click()
        page.get_by_label("Your name").fill(name)
        page.get_by_label("Username").fill(username)
        page.get_by_label("E-mail").fill(f"{username}@example.org")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Open an account").click()
        self.is_live()

    def sign_in(self, username: str, password: str = PASSWORD) -> None:
        self.page.get_by_label("Username or e-mail").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def is_live(self) -> None:
        """The socket is welcomed. Read from the DOM: on a phone the words are on the other screen."""
        expect(self.page.locator(".connection")).to_have_attribute("data-phase", "online", timeout=PATIENCE_MS)

    def is_not_live(self) -> None:
        expect(self.page.locator(".connection")).not_to_have_attribute("data-phase", "online", timeout=PATIENCE_MS)

    def create(self, name: str, about: str) -> str:
        """Make a public channel; answers its id."""
        page = self.page
        page.get_by_role("button", name="Create a channel").first.click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("What it is about").fill(about)
        page.get_by_role("button", name="Create", exact=True).click()
        return self._in_channel(name)

    def join(self, name: str) -> str:
        page = self.page
        page.get_by_role("button", name="Browse channels").first.click()
        page.get_by_label("Find a channel").fill(name)
        page.get_by_role("button", name=f"Join {name}").click()
        return self._in_channel(name)

    def choose(self, name: str) -> str:
        self.page.locator(".channel", has_text=name).click()
        return self._in_channel(name)

    def _in_channel(self, name: str) -> str:
        expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible()
        found = re.search(r"/c/([0-9a-f-]{36})", self.page.url)
        assert found is not None, self.page.url
        return found[1]

    def say(self, text: str) -> None:
        field = self.page.get_by_role("textbox", name="Message to")
        field.fill(text)
        field.press("Enter")

    def row(self, text: str) -> Any:
        return self.page.locator(".messages .message[data-seq]", has_text=text)

    def edit(self, old: str, new: str) -> None:
        self.row(old).hover()
        self.row(old).get_by_role("button", name="Edit message").click()
        editor = self.page.get_by_role("textbox", name="Edit message")
        editor.fill(new)
        editor.press("Enter")

    def delete(self, text: str) -> None:
        self.row(text).hover()
        self.row(text).get_by_role("button", name="Delete message").click()
        self.page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()

    def shows(self, text: str) -> None:
        expect(self.row(text).first).to_be_attached(timeout=PATIENCE_MS)

    def pending(self) -> int:
        return self.page.locator(".messages .message.pending").count()

    def has_sent_all(self) -> None:
        expect(self.page.locator(".messages .message.pending")).to_have_count(0, timeout=PATIENCE_MS)

    def until(self, condition: Callable[[], bool], within: float = 30.0) -> bool:
        """Whether the condition came true in time; the browsers go on meanwhile."""
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.page.wait_for_timeout(50)
        return True

    def kept(self) -> int:
        """How many messages the browser would still have after the page is gone."""
        return int(self.page.evaluate(KEPT))

    def rows(self) -> Rows:
        """(seq, text) of every message, as it stands in the document."""
        return [(int(seq), str(text)) for seq, text in self.page.evaluate(ROWS)]

    def troubles(self) -> int:
        """How often the page says that something is missing."""
        return self.page.locator("[data-trouble]").count()

    def refusals(self) -> list[str]:
        """What the content security policy refused since the page was loaded."""
        return [str(each) for each in self.page.evaluate("() => globalThis.reports ?? []")]

    def picture(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.mouse.move(2, 2)
        self.page.screenshot(path=path, animations="disabled", caret="hide")
