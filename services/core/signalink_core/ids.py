"""Public ids: UUIDv7 (RFC 9562 6.2 method 1), ordered by millisecond and monotonic in one process."""

import threading
import time
import uuid

from signalink_core import entropy

_lock = threading.Lock()
_last_ms = 0
_counter = 0
_COUNTER_BITS = 12


def uuid7() -> uuid.UUID:
    """A new id, greater than every id this process made before, also when the wall clock steps back."""
    global _last_ms, _counter
    tail = int.from_bytes(entropy.take(10))
    with _lock:
        now = time.time_ns() // 1_000_000
        if now > _last_ms:
            _last_ms = now
            _counter = tail >> 69  # 11 random bits: the upper half of the counter stays free for this millisecond
        else:
            _counter += 1
            if _counter >> _COUNTER_BITS:
                _last_ms += 1
                _counter = 0
        ms, counter = _last_ms, _counter
    return uuid.UUID(int=ms << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | tail & (1 << 62) - 1)
