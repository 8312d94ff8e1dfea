"""What a text says to whom: the names it mentions, and whether a keyword stands in it. Pure; knows no users.

A name is mentioned as `@name`, not within a word (so no e-mail address mentions anybody), without regard to case. What
follows a name as punctuation is none of it: `@bob.` mentions bob, `@bob.smith` only bob.smith. There is no `@channel`.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

MOST_NAMES: Final = 50
"""Of one text; the rest are not told."""
_MENTION: Final = re.compile(r"(?<![\w@./+-])@([A-Za-z0-9][A-Za-z0-9._-]{0,63})")


def fold(text: str) -> str:
    """Text as keywords are looked for in it and kept: without case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def names(body: str) -> list[str]:
    """The names mentioned, in lower case, each once, in order."""
    found = (match.group(1).rstrip("._-").lower() for match in _MENTION.finditer(body))
    return list(dict.fromkeys(found))[:MOST_NAMES]


def new_names(body: str, before: str) -> list[str]:
    """What an edit mentions that the text before it did not."""
    known = set(names(before))
    return [name for name in names(body) if name not in known]


def says(folded: str, keyword: str) -> bool:
    """Whether a folded keyword stands in a folded text, not within a word."""
    return _word(keyword).search(folded) is not None


@lru_cache(maxsize=4096)
def _word(keyword: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(keyword)}(?!\w)")
