"""What a notification says, in words: subjects, lines, shortened texts. Pure, and the same for every channel."""

import unicodedata
from collections.abc import Sequence
from typing import Final

from signalink_notifications.channels.port import Notice

LONGEST_LINE: Final = 120
LONGEST_BODY: Final = 1_000
_ELLIPSIS: Final = "\u2026"


def subject(notices: Sequence[Notice]) -> str:
    """One line. Several notices: how many, and from whom if it is one person."""
    first = notices[0]
    if len(notices) == 1:
        return title(first)
    senders = {notice.sender_id for notice in notices}
    return line(f"{len(notices)} messages" + (f" from {first.sender_name}" if len(senders) == 1 else " for you"))


def title(notice: Notice) -> str:
    who, where = notice.sender_name, place(notice)
    match notice.kind:
        case "mention":
            return line(f"{who} mentioned you in {where}")
        case "direct":
            return line(f"{who} wrote to you")
        case "reply":
            return line(f"{who} replied to you in {where}")
    return line(f"{who} used a word you follow in {where}")


def place(notice: Notice) -> str:
    return "a direct conversation" if notice.channel_kind == "direct" else f"#{notice.channel_name}"


def line(text: str, most: int = LONGEST_LINE) -> str:
    """One line without control or direction signs: a name cannot add a header or turn the text around."""
    kept = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text)
    return shortened(" ".join(kept.split()), most)


def body(notice: Notice, most: int = LONGEST_BODY) -> str:
    """The text, its own lines kept, control signs left out."""
    kept = "".join(sign for sign in notice.body if sign in "\n\t" or unicodedata.category(sign)[0] != "C")
    return shortened(kept.strip(), most)


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + _ELLIPSIS
