"""Text as people send it: normalised to NFC, free of what could hide or forge something; lengths are the schemas'."""

import re
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

# Cc (C0, DEL, C1) and the bidirectional embeddings, overrides and isolates, which can show a text in another order.
_FORBIDDEN_IN_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_FORBIDDEN_IN_BODY = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _refuse(found: re.Match[str]) -> PydanticCustomError:
    name = f"U+{ord(found.group()):04X}"
    return PydanticCustomError("control_character", "Character {name} is not allowed", {"name": name})


def line(text: str) -> str:
    """One line: NFC, no control characters at all, no white space around it."""
    text = unicodedata.normalize("NFC", text).strip()
    if found := _FORBIDDEN_IN_LINE.search(text):
        raise _refuse(found)
    return text


def body(text: str) -> str:
    """Many lines: NFC, line ends as LF; of the control characters only tab and line feed."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    if found := _FORBIDDEN_IN_BODY.search(text):
        raise _refuse(found)
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "Must not be blank")
    return text


def _at_most(characters: int) -> AfterValidator:
    """Counted after normalising, since NFC can make a text longer."""

    def check(text: str) -> str:
        if len(text) > characters:
            raise PydanticCustomError("too_long", "At most {most} characters", {"most": characters})
        return text

    return AfterValidator(check)


def Line(characters: int, *, least: int = 1) -> Any:  # noqa: N802 - makes a type
    """The type of a single line of `least` to `characters` characters."""
    return Annotated[
        str,
        StringConstraints(max_length=characters),
        AfterValidator(line),
        _at_most(characters),
        *([AfterValidator(_not_blank)] if least else []),
        Field(min_length=least),
    ]


def Text(characters: int, *, least: int = 1) -> Any:  # noqa: N802 - makes a type
    """The type of a text of `least` to `characters` characters that may have several lines."""
    return Annotated[
        str,
        StringConstraints(max_length=characters),
        AfterValidator(body),
        _at_most(characters),
        *([AfterValidator(_not_blank)] if least else []),
        Field(min_length=least),
    ]
