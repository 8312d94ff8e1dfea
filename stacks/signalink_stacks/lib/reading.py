"""Reads one section of a stack's configuration and collects every fault in it, so that people see all of them at once.

Owns how a fault reads (`key: found, expected; fix`); which keys there are is `config`'s matter.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

MISSING: Final = object()
SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake: the key as people write it, what stands there, what may stand there, what to do."""

    key: str
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        return f"{self.key}: found {self.found}, expected {self.expected}; fix: {self.fix}"


def shown(value: object) -> str:
    """A value as a fault shows it, cut where it is long."""
    if value is MISSING:
        return "nothing"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


@dataclass(slots=True)
class Section:
    """Keys below `path`. Every reading method returns its default where the value is missing or wrong.

    `faults` is one list for all sections of a configuration. What was never asked for is unknown: `close` says so.
    """

    path: str
    values: Mapping[str, Any]
    faults: list[Fault]
    asked: list[str] = field(default_factory=list)

    def text(self, key: str, default: str | None = None, *, form: str = r".+", expected: str = "text") -> str:
        """A text that matches `form` whole; None as default makes it required."""
        value = self._take(key)
        if value is MISSING:
            return self._absent(key, default, expected, "")
        if isinstance(value, str) and (re.fullmatch(form, value) or value == default):
            return value
        self._fault(key, value, expected)
        return default or ""

    def choice(self, key: str, options: Sequence[str], default: str | None = None) -> str:
        """One of `options`."""
        value = self._take(key)
        expected = f"one of {', '.join(options)}"
        if value is MISSING:
            return self._absent(key, default, expected, options[0])
        if value in options:
            return str(value)
        self._fault(key, value, expected, nearest(str(value), options))
        return default or options[0]

    def whole(self, key: str, default: int, *, least: int, most: int) -> int:
        """A whole number in bounds; a text of digits counts, since `pulumi config set` writes texts."""
        value = self._take(key)
        if value is MISSING:
            return default
        number = int(value) if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value) else value
        if isinstance(number, int) and not isinstance(number, bool) and least <= number <= most:
            return number
        self._fault(key, value, f"a whole number from {least} to {most}")
        return default

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self._take(key)
        if value is MISSING:
            return default
        known = {True: True, False: False, "true": True, "false": False}
        if isinstance(value, bool | str) and value in known:
            return known[value]
        self._fault(key, value, "true or false")
        return default

    def texts(self, key: str, default: Sequence[str] = (), *, form: str, expected: str) -> tuple[str, ...]:
        """A list of texts, each of which matches `form` whole."""
        value = self._take(key)
        if value is MISSING:
            return tuple(default)
        if not isinstance(value, list):
            self._fault(key, value, f"a list, each {expected}")
            return tuple(default)
        for index, item in enumerate(value):
            if not (isinstance(item, str) and re.fullmatch(form, item)):
                self._fault(f"{key}[{index}]", item, expected)
        return tuple(item for item in value if isinstance(item, str))

    def mapping(self, key: str) -> Mapping[str, Any]:
        """A table whose keys are not this section's matter."""
        value = self._take(key)
        if value is MISSING:
            return {}
        if isinstance(value, dict):
            return value
        self._fault(key, value, "a table of keys and values")
        return {}

    def section(self, key: str) -> "Section":
        """The section below `key`, empty where there is none."""
        return Section(f"{self.path}.{key}" if self.path else key, self.mapping(key), self.faults)

    def close(self) -> None:
        """Everything that nobody asked for is a fault, with the nearest name."""
        for key in sorted(self.values.keys() - set(self.asked)):
            known = ", ".join(sorted(self.asked))
            self._fault(key, self.values[key], f"a known key ({known})", nearest(key, self.asked) or "remove it")

    def refuse(self, key: str, expected: str, fix: str) -> None:
        """A fault that follows from more than one key."""
        self._fault(key, self.values.get(key, MISSING), expected, fix)

    def _take(self, key: str) -> Any:
        self.asked.append(key)
        value = self.values.get(key, MISSING)
        if isinstance(value, date):
            return value.isoformat()
        return MISSING if value is None else value

    def _absent(self, key: str, default: str | None, expected: str, otherwise: str) -> str:
        if default is None:
            self._fault(key, MISSING, expected, "set it")
            return otherwise
        return default

    def _fault(self, key: str, value: object, expected: str, fix: str = "") -> None:
        whole = f"{self.path}.{key}" if self.path else key
        self.faults.append(Fault(whole, shown(value), expected, fix or f"correct {whole}"))


def nearest(word: str, known: Sequence[str]) -> str:
    """`did you mean X?`, or nothing where no known word is like it."""
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else ""
