"""Real texts by real authors: the changelogs of the installed Debian packages.

Owns reading them: source package = channel, maintainer = user, entry = message. Bodies are what the api accepts: NFC,
no control characters, at most 4,000 characters (longer entries are split at line ends).
"""

import gzip
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

DOCS = Path("/usr/share/doc")
BODY_LIMIT = 4_000
HEADER = re.compile(r"^([a-z0-9][a-z0-9+.-]*) \(([^()\s]+)\) [^;]*;")
TRAILER = re.compile(r"^ -- (.*?) ?<([^>]*)>")
REFUSED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What the api takes in no text: control characters, and those that show a text in another order."""


class NoCorpus(Exception):
    """This machine has no changelogs, or not enough of them."""


@dataclass(frozen=True)
class Entry:
    """One message: channel (a source package), author (a maintainer's address), body."""

    channel: str
    author: str
    body: str


def entries(folder: Path = DOCS) -> list[Entry]:
    """Read every entry once, though many binary packages carry the changelog of one source."""
    seen: set[tuple[str, str]] = set()
    found: list[Entry] = []
    for path in sorted(folder.glob("*/changelog*.gz")):
        for source, version, author, text in _parse(path):
            if (source, version) not in seen:
                seen.add((source, version))
                found += [Entry(source, author, body) for body in split(clean(text))]
    if not found:
        raise NoCorpus(f"no Debian changelog in {folder}/*/changelog*.gz (slim images remove them)")
    return found


def _parse(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield (source, version, author, text) of a file in Debian's format; nothing of any other file."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        header: re.Match[str] | None = None
        lines: list[str] = []
        for line in file:
            if begin := HEADER.match(line):
                header, lines = begin, [line]
            elif header is None:
                if line.strip():
                    return
            elif end := TRAILER.match(line):
                yield header[1], header[2], end[2].strip().lower() or end[1], "".join(lines)
                lines = []
            else:
                lines.append(line)


def clean(text: str) -> str:
    """Answer the text as the api keeps it."""
    return unicodedata.normalize("NFC", REFUSED.sub("", text.expandtabs())).strip()


def split(text: str, limit: int = BODY_LIMIT) -> list[str]:
    """Cut at line ends; only a line that is too long by itself is cut inside."""
    parts: list[str] = []
    part = ""
    for line in text.splitlines(keepends=True):
        while len(line) > limit:
            parts += [part, line[:limit]]
            part, line = "", line[limit:]
        if len(part) + len(line) > limit:
            parts.append(part)
            part = ""
        part += line
    return [kept for kept in (part.strip() for part in [*parts, part]) if kept]


def chosen(known: list[Entry], *, channels: int, authors: int, seed: int) -> list[Entry]:
    """Answer the entries of so many channels, each author kept who is among the busiest of them; order as written."""
    names = sorted({entry.channel for entry in known})
    Random(seed).shuffle(names)
    inside = set(names[:channels])
    busy = Counter(entry.author for entry in known if entry.channel in inside)
    kept = {author for author, _ in busy.most_common(authors)}
    return [entry for entry in known if entry.channel in inside and entry.author in kept]
