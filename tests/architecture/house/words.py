"""The words of the glossary: reads docs/glossary.md and finds the words it rules out in code, docs and metrics.

The glossary is the only list: its table "Words we do not use" says the word, what to say instead, where the rule holds
and which names given by others (settings of Kafka, methods of libraries) are left alone.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatch

from house.sources import Tree

GLOSSARY = "docs/glossary.md"
HEADING = "## Words we do not use"
SKIPPED = (
    GLOSSARY,
    "LICENSE",
    "requirements/*",
    "*.lock",
    "*.svg",
    "package-lock.json",
    "tests/graph/golden/*",
    "stacks/signalink_stacks/delivery/actions.toml",
)


@dataclass(frozen=True)
class Ruled:
    """One ruled-out word: its pattern, the replacement, the files it is looked for in, and the names left alone."""

    word: str
    say: str
    where: str
    allowed: tuple[str, ...]

    def pattern(self) -> re.Pattern[str]:
        """The word by itself, in snake_case or in CamelCase, singular or plural; never inside a longer word."""
        lower, camel = re.escape(self.word), re.escape(self.word.capitalize())
        return re.compile(rf"(?<![A-Za-z])(?:{lower}|{camel}|{lower.upper()})s?(?![A-Za-z])|{camel}s?(?![a-z])")


def ruled_words(glossary: str) -> list[Ruled]:
    """The rows of the glossary's table of ruled-out words."""
    _, _, section = glossary.partition(HEADING)
    found = []
    for line in section.split("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and cells[0] not in {"word", "---"}:
            allowed = tuple(sorted(re.findall(r"`([^`]+)`", cells[3]), key=len, reverse=True))
            found.append(Ruled(cells[0], cells[1], cells[2].strip("`"), allowed))
    return found


def defined_words(glossary: str) -> set[str]:
    """Every term the glossary defines: the bold words of the tables before the ruled-out ones."""
    return {term.lower() for term in re.findall(r"\*\*([^*]+)\*\*", glossary.partition(HEADING)[0])}


def used(tree: Tree, ruled: list[Ruled]) -> list[str]:
    """Where a ruled-out word stands."""
    found = []
    for path, text in tree.texts():
        name = tree.name(path)
        if any(fnmatch(name, skipped) for skipped in SKIPPED):
            continue
        for rule in ruled:
            if rule.where != "everywhere" and not fnmatch(name, rule.where):
                continue
            pattern = rule.pattern()
            if not pattern.search(f"{text} {name}"):
                continue
            for number, line in enumerate([*text.splitlines(), name], start=1):
                for allowed in rule.allowed:
                    line = line.replace(allowed, "")
                if pattern.search(line):
                    found.append(tree.at(path, number, f"'{rule.word}': say {rule.say}"))
    return found
