"""The documents: links that resolve, complete service pages, short decision records that name their test.

Reads Markdown only; that the README's commands work is shown by tests/docs.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from house.sources import Tree

SECTIONS = ("Purpose", "Ports", "Settings", "Metrics", "How to run")
RECORD_LINES = 40
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)|\!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/.-]+?\.py)(?:::(\w+))?`")


def pages(tree: Tree) -> Iterator[tuple[Path, str]]:
    for path, text in tree.texts():
        if path.suffix == ".md":
            yield path, text


def broken_links(tree: Tree) -> list[str]:
    """Relative links whose file or heading does not exist."""
    found = []
    for path, text in pages(tree):
        for match in LINK.finditer(FENCE.sub("", text)):
            target = match[1] or match[2]
            if re.match(r"[a-z]+:", target):
                continue
            name, _, heading = target.partition("#")
            file = (path.parent / name).resolve() if name else path
            if not file.exists():
                found.append(tree.at(path, 1, f"link to {target}: no such file"))
            elif heading and file.suffix == ".md" and heading not in headings(file.read_text(encoding="utf-8")):
                found.append(tree.at(path, 1, f"link to {target}: no such heading"))
    return found


def headings(text: str) -> set[str]:
    """Anchors of a page as code hosts make them: lower case, spaces to hyphens, punctuation dropped."""
    titles = re.findall(r"^#+ +(.+?)\s*$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()).replace(" ", "-") for title in titles}


def incomplete_services(tree: Tree) -> list[str]:
    """Services (folders with a service.toml) whose README.md misses a section or has an empty one."""
    found = []
    for manifest in (path for path in tree.files if path.name == "service.toml"):
        page = manifest.with_name("README.md")
        if not page.exists():
            found.append(f"{tree.name(page)}: missing; it needs {', '.join(SECTIONS)}")
            continue
        bodies = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page.read_text(), re.DOTALL | re.MULTILINE))
        found += [f"{tree.name(page)}: section {name}" for name in SECTIONS if not bodies.get(name, "").strip()]
    return found


def bad_records(tree: Tree) -> list[str]:
    """Decision records that are too long, badly named, or name no test that exists."""
    found = []
    for path, text in pages(tree):
        if path.parent.name != "decisions" or path.name == "README.md":
            continue
        if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name):
            found.append(tree.at(path, 1, "a record is called NNNN-what-was-decided.md"))
        if (lines := len(text.splitlines())) > RECORD_LINES:
            found.append(tree.at(path, 1, f"{lines} lines, at most {RECORD_LINES}"))
        if not TEST.search(text):
            found.append(tree.at(path, 1, "names no test that enforces it"))
    return found


def missing_tests(tree: Tree) -> list[str]:
    """Tests named in a document (`tests/.../test_x.py::test_name`) that do not exist."""
    found = []
    for path, text in pages(tree):
        for file, test in TEST.findall(text):
            target = tree.root / file
            if not target.exists():
                found.append(tree.at(path, 1, f"{file} does not exist"))
            elif test and not re.search(rf"def {test}\b", target.read_text(encoding="utf-8")):
                found.append(tree.at(path, 1, f"{file} has no {test}"))
    return found
