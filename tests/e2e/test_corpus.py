"""The texts of the replay are what was written, cut only at line ends, and what the api accepts."""

import gzip
import importlib.util
import sys
import unicodedata
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

CHANGELOG = """\
tool (2.0-1) unstable; urgency=medium

  * Second.

 -- Ann Author <Ann@Example.org>  Mon, 01 Jan 2024 00:00:00 +0000

tool (1.0-1) unstable; urgency=low

  * First,
    with\ttwo lines.

 -- Bob Builder <bob@example.org>  Sun, 01 Jan 2023 00:00:00 +0000
"""


def _load() -> ModuleType:
    """The programs share their modules by path; tests do the same."""
    spec = importlib.util.spec_from_file_location("e2e_corpus", Path(__file__).with_name("corpus.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


corpus = _load()


def write(folder: Path, package: str, text: str, name: str = "changelog.Debian.gz") -> None:
    (folder / package).mkdir()
    (folder / package / name).write_bytes(gzip.compress(text.encode()))


def test_source_package_maintainer_and_entry_become_channel_author_and_body(tmp_path: Path) -> None:
    write(tmp_path, "tool", CHANGELOG)
    found = corpus.entries(tmp_path)
    assert [(entry.channel, entry.author) for entry in found] == [
        ("tool", "ann@example.org"),
        ("tool", "bob@example.org"),
    ]
    assert found[1].body.startswith("tool (1.0-1) unstable")
    assert "with        two lines." in found[1].body


def test_an_entry_that_several_packages_carry_counts_once_and_other_formats_not_at_all(tmp_path: Path) -> None:
    write(tmp_path, "tool", CHANGELOG)
    write(tmp_path, "tool-doc", CHANGELOG)
    write(tmp_path, "upstream", "2024-01-01  Someone\n\n\t* file.c: changed\n", "changelog.gz")
    assert len(corpus.entries(tmp_path)) == 2


def test_a_machine_without_changelogs_says_so(tmp_path: Path) -> None:
    with pytest.raises(corpus.NoCorpus, match="no Debian changelog"):
        corpus.entries(tmp_path)


def test_a_long_entry_is_cut_at_line_ends_and_only_a_long_line_inside() -> None:
    lines = [f"line {number} " + "x" * 90 for number in range(100)]
    parts = corpus.split("\n".join(lines))
    assert all(len(part) <= 4_000 for part in parts)
    assert [line for part in parts for line in part.splitlines()] == lines
    assert [len(part) for part in corpus.split("y" * 9_000)] == [4_000, 4_000, 1_000]


@given(st.text(max_size=300), st.integers(1, 40))
def test_splitting_loses_nothing_but_white_space_at_the_cuts(text: str, limit: int) -> None:
    parts = corpus.split(text, limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@given(st.text())
def test_cleaned_text_has_no_control_character_but_the_line_feed(text: str) -> None:
    cleaned = corpus.clean(text)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert all(sign == "\n" or unicodedata.category(sign) not in {"Cc"} for sign in cleaned)


def test_a_small_choice_keeps_the_busiest_authors_of_seeded_channels(tmp_path: Path) -> None:
    known = [corpus.Entry(f"c{number % 9}", f"a{number % 7}", "text") for number in range(200)]
    chosen = corpus.chosen(known, channels=3, authors=2, seed=5)
    assert len({entry.channel for entry in chosen}) == 3
    assert len({entry.author for entry in chosen}) == 2
    assert chosen == corpus.chosen(known, channels=3, authors=2, seed=5)
