"""Whom a text mentions, and whether a keyword stands in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_notifications.planner import texts

NAME = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}[a-z0-9]", fullmatch=True)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("@bob", ["bob"]),
        ("hello @Bob!", ["bob"]),
        ("(@bob) and @ann, please", ["bob", "ann"]),
        ("@bob.", ["bob"]),
        ("@bob.smith", ["bob.smith"]),
        ("@bob-", ["bob"]),
        ("@bob @BOB @bob", ["bob"]),
        ("line one\n@bob", ["bob"]),
        ("“@bob”", ["bob"]),
        ("bob@example.org", []),
        ("x@bob", []),
        ("@@bob", []),
        ("/@bob", []),
        ("@ bob", []),
        ("@", []),
        ("@.", []),
        ("@_bob", []),
        ("größe@bob", []),
        ("@bobä", ["bob"]),
        ("nobody", []),
    ],
)
def test_a_name_is_mentioned_after_an_at_sign_that_is_within_no_word(body: str, names: list[str]) -> None:
    assert texts.names(body) == names


def test_a_text_mentions_a_bounded_number_of_people() -> None:
    assert len(texts.names(" ".join(f"@user{n}" for n in range(200)))) == texts.MOST_NAMES


@given(NAME, st.text(alphabet=" \n,;:!?()", max_size=5), st.text(alphabet=" \n,;:!?()", max_size=5))
def test_every_name_that_may_be_registered_can_be_mentioned(name: str, before: str, behind: str) -> None:
    assert texts.names(f"{before}@{name}{behind}") == [name]


@given(st.text(max_size=200))
def test_no_text_is_too_strange(body: str) -> None:
    found = texts.names(body)
    assert len(found) == len(set(found))
    assert texts.fold(texts.fold(body)) == texts.fold(body)


@pytest.mark.parametrize(
    ("body", "before", "names"),
    [
        ("hello @bob", "hello", ["bob"]),
        ("hello @bob", "hello @Bob", []),
        ("@ann @bob", "@bob", ["ann"]),
        ("nobody", "@bob", []),
    ],
)
def test_an_edit_mentions_only_whom_the_text_before_did_not(body: str, before: str, names: list[str]) -> None:
    assert texts.new_names(body, before) == names


@pytest.mark.parametrize(
    ("text", "keyword", "says"),
    [
        ("the Release is out", "release", True),
        ("release!", "release", True),
        ("releases", "release", False),
        ("prerelease", "release", False),
        ("STRASSE", "straße", True),
        ("code red now", "code red", True),
        ("c++ is", "c++", True),
        ("a.b", "a.b", True),
        ("axb", "a.b", False),
    ],
)
def test_a_keyword_is_found_as_a_word_of_its_own_without_regard_to_case(text: str, keyword: str, says: bool) -> None:
    assert texts.says(texts.fold(text), texts.fold(keyword)) is says
