"""What changed in a version, from CHANGELOG.md, in the words that Artifact Hub shows beside a chart. Pure."""

import re
from typing import Final

import yaml

ANNOTATION: Final = "artifacthub.io/changes"
KINDS: Final = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
"""Headings of Keep a Changelog; in small letters they are Artifact Hub's kinds."""
UNRELEASED: Final = "Unreleased"
LINK: Final = re.compile(r"\[([^\]]+)\]\([^)]*\)")
Change = dict[str, str]


def of_version(changelog: str, version: str) -> list[Change]:
    """Entries of the version's section in their order; while it has none, those of what is not released yet."""
    sections = dict(_parts(changelog, r"^## \[([^\]]+)\].*$"))
    section = sections.get(version) or sections.get(UNRELEASED, "")
    return [
        {"kind": kind.lower(), "description": entry}
        for kind, text in _parts(section, r"^### (\w+)\s*$")
        if kind in KINDS
        for entry in _entries(text)
    ]


def annotation(changelog: str, version: str) -> dict[str, str]:
    """The annotation of a Chart.yaml; none where nothing changed."""
    found = of_version(changelog, version)
    return {ANNOTATION: yaml.safe_dump(found, sort_keys=False, width=10_000, allow_unicode=True)} if found else {}


def _parts(text: str, heading: str) -> list[tuple[str, str]]:
    """(title, text below it) of every heading."""
    found = re.split(heading, text, flags=re.MULTILINE)[1:]
    return list(zip(found[::2], found[1::2], strict=True))


def _entries(text: str) -> list[str]:
    """One line for each `- ` with what is indented below it, without links and stress."""
    found = re.findall(r"^- (.*(?:\n[ \t]+\S.*)*)", text, flags=re.MULTILINE)
    return [LINK.sub(r"\1", " ".join(entry.split())).replace("**", "") for entry in found]
