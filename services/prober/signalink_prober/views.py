"""What one bot's socket at one gateway has shown of the canary's channel, beside what it should have. Pure.

A view is judged only while its socket is open for a while: one that is just resuming has not been given everything yet.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

OLD_SECONDS = 30.0
SETTLED_SECONDS = 10.0
MOST = 1_000


class View:
    """Times are monotonic seconds but for `at` of an event, which is how old it is when it is expected."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._from: int | None = None
        self._connection = 0
        self._open_since: float | None = None
        self._shown: dict[int, tuple[int, float]] = {}
        self._expected: deque[tuple[int, float]] = deque(maxlen=MOST)  # bound: the oldest go unjudged
        self.duplicates = 0

    @property
    def waiting(self) -> int:
        return len(self._expected)

    def frame(self, frame: Mapping[str, Any], now: float) -> None:
        """Every frame of the socket, before duplicates are dropped."""
        match frame["op"]:
            case "welcome":
                self._connection, self._open_since = self._connection + 1, now
            case "subscribed" if frame["channel"] == self._channel and self._from is None:
                self._from = frame["position"]["seq"]
            case "gap" if frame["channel"] == self._channel:
                self._from = frame["position"]["seq"]
            case "event" if frame["channel"] == self._channel:
                self._show(frame["seq"], now)

    def closed(self) -> None:
        """The socket is not open."""
        self._open_since = None

    def arrived(self, seq: int) -> float | None:
        """When this was shown first."""
        shown = self._shown.get(seq)
        return None if shown is None else shown[1]

    def expect(self, seq: int, occurred: float) -> None:
        """The log holds this; `occurred` on the clock of `judge`."""
        self._expected.append((seq, occurred))

    def judge(self, now: float) -> tuple[int, list[int]]:
        """(how many were settled, which of them were not shown)."""
        if self._from is None or self._open_since is None or now - self._open_since < SETTLED_SECONDS:
            return 0, []
        checked, missing = 0, []
        while self._expected and now - self._expected[0][1] >= OLD_SECONDS:
            seq, _ = self._expected.popleft()
            if seq <= self._from:
                continue
            checked += 1
            if seq not in self._shown:
                missing.append(seq)
        return checked, missing

    def _show(self, seq: int, now: float) -> None:
        """The same twice on one connection is a duplicate; a resume may begin where another socket ended."""
        known = self._shown.get(seq)
        if known is not None and known[0] == self._connection:
            self.duplicates += 1
        self._shown[seq] = (self._connection, known[1] if known else now)
        while len(self._shown) > MOST:
            del self._shown[next(iter(self._shown))]
