"""Passwords: argon2id on threads of its own, with a bounded wait, and the rule of which passwords are too common.

Parameters: security.md 2 (OWASP Password Storage: m = 19 MiB, t = 2, p = 1), about 22 ms each with the GIL released.
"""

import asyncio
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from typing import Final, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from signalink_core.errors import QueueFull
from signalink_core.lifecycle import Lifecycle
from signalink_core.telemetry import names

T = TypeVar("T")
MEMORY_KIB: Final = 19_456
PASSES: Final = 2
LANES: Final = 1
SHORTEST: Final = 8
LONGEST: Final = 128
MOST_THREADS: Final = 4
MOST_WAITING: Final = 64
RETRY_AFTER_SECONDS: Final = 2.0
_LEET: Final = str.maketrans("0134578@$!", "oleastbasi")


class Passwords(Lifecycle):
    """`hash` and `verify`; more than 64 waiting: QueueFull."""

    def __init__(self, *, threads: int | None = None, waiting: int = MOST_WAITING) -> None:
        super().__init__()
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, type=Type.ID)
        self._threads = threads or min(len(os.sched_getaffinity(0)), MOST_THREADS)
        self._most = self._threads + waiting
        self._inside = 0
        self._executor: ThreadPoolExecutor | None = None
        self._dummy = ""

    async def _start(self) -> None:
        self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="passwords")
        self._dummy = await self.hash("the account does not exist")

    async def _stop(self) -> None:
        if self._executor is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._executor.shutdown)
            self._executor = None

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is the password. An unknown account (`stored` None) costs the same and is never right."""
        right = await self._run(lambda: self._matches(stored or self._dummy, password))
        return right and stored is not None

    def is_dated(self, stored: str) -> bool:
        """Made with other parameters than today's: hash it again while the password is at hand."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._executor is None:
            raise RuntimeError("Passwords is not started; use `async with`")
        if self._inside >= self._most:
            names.QUEUE_REJECTED_TOTAL.labels(queue="passwords").inc()
            raise QueueFull("Too many people sign in at this moment.", retry_after=RETRY_AFTER_SECONDS)
        self._inside += 1
        names.QUEUE_DEPTH.labels(queue="passwords").set(max(0, self._inside - self._threads))
        try:
            # Shielded: a caller that goes away does not free the thread its hash still runs on.
            return await asyncio.shield(self._counted(work))
        finally:
            names.QUEUE_DEPTH.labels(queue="passwords").set(max(0, self._inside - self._threads))

    def _counted(self, work: Callable[[], T]) -> asyncio.Future[T]:
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        future.add_done_callback(self._left)
        return future

    def _left(self, _done: object) -> None:
        self._inside -= 1


def weakness(password: str, *personal: str) -> str | None:
    """Why a password is refused, None when it is not: a common one, also with digits or signs around it, or a name."""
    plain = password.lower()
    core = _letters(plain)
    if plain in common() or core in common() or _letters(plain.translate(_LEET)) in common():
        return "This password is one of the most common ones"
    if any(name and name.lower() in (plain, core) for name in personal):
        return "The password must not be your name or e-mail address"
    if len(set(plain)) < 4 or _is_row(plain):
        return "This password is a repeated sign or a row of the keyboard"
    return None


@cache
def common() -> frozenset[str]:
    """Passwords and their cores (letters only) that guessers try first, in lower case."""
    text = resources.files("signalink_api.auth").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.split("\n") if line and not line.startswith("#"))


def _letters(password: str) -> str:
    return re.sub(r"^[^a-z]+|[^a-z]+$", "", password)


def _is_row(password: str) -> bool:
    rows = ("01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm")
    return any(password in row * 2 or password in row[::-1] * 2 for row in rows)
