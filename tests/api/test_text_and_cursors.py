"""Text and cursors as plain functions: what they accept stays as it is, what they refuse never passes."""

import contextlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from signalink_core.web.catalogue import InvalidCursor
from signalink_core.web.cursors import CursorSigner
from signalink_core.web.text import Line, Text

LINE: TypeAdapter[str] = TypeAdapter(Line(20))
TEXT: TypeAdapter[str] = TypeAdapter(Text(200))
SIGNER = CursorSigner(b"k" * 32)


@given(st.text(max_size=200))
def test_accepted_text_is_normal_and_has_no_control_characters_and_stays_as_it_is(given_text: str) -> None:
    try:
        accepted = TEXT.validate_python(given_text)
    except ValidationError:
        return
    assert unicodedata.is_normalized("NFC", accepted)
    assert not [sign for sign in accepted if unicodedata.category(sign) == "Cc" and sign not in "\n\t"]
    assert TEXT.validate_python(accepted) == accepted


@given(st.text(max_size=20))
def test_an_accepted_line_is_one_line_without_space_around_it(given_text: str) -> None:
    try:
        accepted = LINE.validate_python(given_text)
    except ValidationError:
        return
    assert accepted.splitlines() == [accepted]
    assert accepted == accepted.strip()
    assert 1 <= len(accepted) <= 20


def test_length_counts_after_normalising() -> None:
    assert LINE.validate_python("e\u0301" * 10) == "é" * 10
    growing = "\ufb2c"  # one sign that NFC makes three
    assert len(unicodedata.normalize("NFC", growing)) == 3
    with pytest.raises(ValidationError):
        LINE.validate_python(growing * 7)


@given(st.lists(st.one_of(st.integers(-(2**53), 2**53), st.text(max_size=50), st.none()), max_size=4))
def test_a_cursor_gives_back_what_it_was_made_of(last: list[object]) -> None:
    if not any(isinstance(value, str) and any(0xD800 <= ord(sign) < 0xE000 for sign in value) for value in last):
        assert SIGNER.read("list of ann", SIGNER.make("list of ann", last)) == last


@given(st.binary(max_size=60), st.integers(0, 200))
def test_no_other_text_is_a_cursor(noise: bytes, place: int) -> None:
    good = SIGNER.make("list of ann", ["x", 1])
    spoiled = good[: place % len(good)] + "_" + good[place % len(good) + 1 :]
    for cursor in (noise.decode("latin-1"), spoiled if spoiled != good else ""):
        with pytest.raises(InvalidCursor):
            SIGNER.read("list of ann", cursor)


def test_a_second_spelling_of_a_cursor_is_none() -> None:
    good = SIGNER.make("list", ["xy", 1])  # two bits of its last sign say nothing
    spellings = [good[:-1] + sign for sign in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    accepted = []
    for spelling in spellings:
        with contextlib.suppress(InvalidCursor):
            SIGNER.read("list", spelling)
            accepted.append(spelling)
    assert accepted == [good]


def test_a_cursor_of_another_scope_or_key_is_refused() -> None:
    good = SIGNER.make("list of ann", ["x"])
    for signer, scope in ((SIGNER, "list of bob"), (CursorSigner(b"o" * 32), "list of ann")):
        with pytest.raises(InvalidCursor):
            signer.read(scope, good)
