"""Label selectors of the equality kind (`a=b, c!=d, e, !f`): which resources an operator looks after. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_KEY, _VALUE = r"(?P<key>[A-Za-z0-9][A-Za-z0-9._/-]*)", r"(?P<value>[A-Za-z0-9._-]*)"
_TERM = re.compile(rf"(?P<no>!)?{_KEY}\s*(?:(?P<op>==|=|!=)\s*{_VALUE})?")


def terms(selector: str) -> list[tuple[str, str, str | None]]:
    """(key, operator, value) of each term; ValueError names the term that is none."""
    found = []
    for part in (text.strip() for text in selector.split(",") if text.strip()):
        match = _TERM.fullmatch(part)
        if match is None or (match["no"] and match["op"]):
            raise ValueError(f"{part!r} is no term of a label selector: write a=b, a!=b, a or !a")
        operator = "!" if match["no"] else {"==": "=", None: "has"}.get(match["op"], match["op"])
        found.append((match["key"], operator, match["value"]))
    return found


def matches(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether labels fit every term; the empty selector fits all."""
    return all(_fits(labels, *term) for term in terms(selector))


def _fits(labels: Mapping[str, str], key: str, operator: str, value: str | None) -> bool:
    match operator:
        case "=":
            return labels.get(key) == value
        case "!=":
            return labels.get(key) != value
        case "!":
            return key not in labels
    return key in labels
