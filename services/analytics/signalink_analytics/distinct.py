"""Distinct users: a set, exact up to 10,000, above that a HyperLogLog with a stated error.

The library and numpy below it are imported when the first set grows beyond that: most processes never need them.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

EXACT: Final = 10_000
"""Up to so many users the set itself is kept."""
ERROR: Final = 1.04 / (1 << 14) ** 0.5
"""Relative standard error of an estimate, 0.8 %: two of three estimates are nearer, 997 of 1,000 within three times."""
_ASKED: Final = ERROR * 1.0001
"""The library rounds up the number of its registers; the very limit could become twice as many."""
AT_ONCE: Final = 50_000


class Distinct:
    """Users are given as text, one user always in one spelling."""

    def __init__(self) -> None:
        self._users: set[str] = set()
        self._sketch: Any = None

    @property
    def exact(self) -> bool:
        """Whether `count` is the number itself, no estimate."""
        return self._sketch is None

    @property
    def count(self) -> int:
        return len(self._users) if self._sketch is None else round(self._sketch.card())

    def update(self, users: Sequence[str]) -> None:
        """Add users; who is there already changes nothing."""
        if self._sketch is None:
            self._users.update(users)
            if len(self._users) <= EXACT:
                return
            users, self._users, self._sketch = list(self._users), set(), _empty()
        for start in range(0, len(users), AT_ONCE):
            self._sketch.add_bulk(users[start : start + AT_ONCE])

    def unite(self, sketches: Iterable[bytes]) -> None:
        """Add the users of other periods by what `sketch` gave for them; from then on the count is an estimate."""
        for sketch in sketches:
            if self._sketch is None:
                self._sketch, users = _empty(), list(self._users)
                self._users = set()
                if users:
                    self._sketch.add_bulk(users)
            self._sketch.update(_opened(sketch))

    def sketch(self) -> bytes | None:
        """16 KB to be kept; None while the set is exact: then its members are."""
        return None if self._sketch is None else bytes(self._sketch.M.astype("int8"))


def _empty() -> Any:
    from hyperloglog.hll import HyperLogLog

    return HyperLogLog(_ASKED)  # type: ignore[no-untyped-call]


def _opened(sketch: bytes) -> Any:
    import numpy

    made = _empty()
    if len(sketch) != made.m:
        raise ValueError(f"a sketch has {made.m} bytes, this one {len(sketch)}")
    made.M = numpy.frombuffer(sketch, "int8").astype(made.M.dtype)
    return made
