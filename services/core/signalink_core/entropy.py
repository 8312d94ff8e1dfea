"""The kernel's random bytes, fetched 4 KB at a time: a system call per id was a twentieth of a post.

For ids and trace ids. Secrets, tokens and keys ask the kernel themselves (`secrets`).
"""

import os
import threading

BLOCK_BYTES = 4096


class _Block:
    """A fork must not repeat its parent's bytes, so the child begins a new block."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = b""
        self._at = 0
        os.register_at_fork(after_in_child=self._forget)

    def take(self, size: int) -> bytes:
        with self._lock:
            if self._at + size > len(self._bytes):
                self._bytes, self._at = os.urandom(max(BLOCK_BYTES, size)), 0
            found = self._bytes[self._at : self._at + size]
            self._at += size
        return found

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._bytes, self._at = b"", 0


take = _Block().take
"""`take(size)`: that many bytes, never handed out before."""
