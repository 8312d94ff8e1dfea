"""The pages beside the conversations: what somebody chose is there after a reload, and what was posted is drawn.

Owns reading the two pages; how many messages there must be is the program's. The numbers are read three times: from the
tile, from the table beside the chart, and as pixels of the chart itself.
"""

import re
import time
from pathlib import Path

from findings import Figures
from playwright.sync_api import expect
from window import PATIENCE_MS, Window

FRESH_SECONDS = 60.0
"""How long what was posted may take to be in the figures: bar of this act, generous for a busy machine."""
ZONE = "Europe/Berlin"
DRAWN = """(canvas) => {
  const style = getComputedStyle(canvas);
  const colours = ['--accent', '--counting'].map((name) =>
    style.getPropertyValue(name).match(/[0-9a-f]{2}/g).map((two) => parseInt(two, 16)));
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    const is = (colour) => colour.every((part, index) => Math.abs(part - data[at + index]) < 3);
    if (data[at + 3] === 255 && colours.some(is)) count += 1;
  }
  return count;
}"""
"""How many pixels of a canvas have a colour of bars."""


def choose(shown: Window, picture: Path | None) -> list[str]:
    """Set quiet hours and a choice, load the page again; answers what is not there any more."""
    page = shown.page
    _open_settings(shown)
    page.get_by_label("Keep quiet at certain hours").check()
    page.get_by_label("From", exact=True).fill("21:30")
    page.get_by_label("Until", exact=True).fill("06:45")
    page.get_by_label("Time zone").select_option(ZONE)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(re.compile(rf"Quiet from .* until .* the next day \({ZONE}\)\."))).to_be_visible()
    box = page.get_by_label("Replies by e-mail")
    before = box.is_checked()
    with page.expect_response(lambda answer: "/preferences" in answer.url and answer.request.method != "OPTIONS"):
        box.set_checked(not before)
    if picture is not None:
        shown.picture(picture)
    page.reload()
    page.get_by_label("Keep quiet at certain hours").wait_for()
    found = {
        "begin of quiet hours": (page.get_by_label("From", exact=True).input_value(), "21:30"),
        "end of quiet hours": (page.get_by_label("Until", exact=True).input_value(), "06:45"),
        "zone": (page.get_by_label("Time zone").input_value(), ZONE),
        "choice of replies by e-mail": (page.get_by_label("Replies by e-mail").is_checked(), not before),
    }
    return [f"settings: {what} is {is_} after a reload, not {was}" for what, (is_, was) in found.items() if is_ != was]


def _open_settings(shown: Window) -> None:
    shown.page.get_by_role("button", name="Settings").click()
    expect(shown.page.get_by_role("heading", level=1, name="Settings")).to_be_visible()
    expect(shown.page.locator(".choice-table")).to_be_visible(timeout=PATIENCE_MS)


def figures(shown: Window, channel: str, posted: int, picture: Path | None) -> Figures:
    """The figures of a channel, once they are those of everything posted or the patience is over."""
    began = time.monotonic()
    shown.open(f"/analytics/c/{channel}")
    shown.is_live()
    tile = shown.page.locator('[data-tile="Messages"] .tile-value')
    tile.wait_for(timeout=PATIENCE_MS)
    shown.until(lambda: _number(tile.inner_text()) >= posted, FRESH_SECONDS)
    seconds = time.monotonic() - began
    chart = shown.page.locator(".chart", has=shown.page.get_by_role("heading", name="Messages", exact=True))
    chart.locator("summary").click()
    chart.locator("tbody td").first.wait_for()
    cells = chart.locator("tbody td").all_inner_texts()
    table = sum(_number(text) for text in cells)
    pixels = int(chart.locator("canvas").evaluate(DRAWN))
    if picture is not None:
        shown.picture(picture)
    return Figures(_number(tile.inner_text()), table, pixels, seconds)


def _number(text: str) -> int:
    """A number as the page writes it; the dash of nothing counts as none."""
    digits = "".join(sign for sign in text if sign.isdigit())
    return int(digits) if digits else 0
