"""How many calls one provider may have at once: a user's webhook that answers slowly must leave places for the others.

Owns the count, in this process; a delivery that finds none left waits a little and loses no attempt.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager


class Turns:
    """Of one channel; `most` calls at once for each provider."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy: Counter[str] = Counter()

    @contextmanager
    def taken(self, providers: Collection[str]) -> Iterator[bool]:
        """Inside the block one place of each provider is taken; False: one of them had none, and nothing is."""
        free = all(self._busy[provider] < self._most for provider in providers)
        if free:
            self._busy.update(providers)
        try:
            yield free
        finally:
            if free:
                self._busy.subtract(providers)
            self._busy = +self._busy
