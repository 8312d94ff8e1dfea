"""A token that is kept until just before it ends. Owns the keeping; who makes one is given."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

Sign = Callable[[], tuple[str, float]]
"""A fresh token and when it ends (Unix time, seconds). May block: it is called in a thread."""
MARGIN_SECONDS: Final = 60.0
SIGN_SECONDS: Final = 10.0
WORKER: Final = ThreadPoolExecutor(1, thread_name_prefix="signin")
"""One thread for all signing of a process: a slow one cannot take the loop's own threads, which look up names."""


class SignInFailed(ConnectionError):
    """No token could be made. For callers it is what a server that does not answer is: they try again."""


class Tokens:
    """One token for many connections, from whichever loop they are opened."""

    def __init__(self, sign: Sign, clock: Callable[[], float] = time.time) -> None:
        self._sign, self._clock = sign, clock
        self._held = ("", float("-inf"))

    async def token(self) -> str:
        """Good for another minute at least. Raises SignInFailed, TimeoutError after 10 s."""
        token, until = self._held
        if self._clock() < until - MARGIN_SECONDS:
            return token
        async with asyncio.timeout(SIGN_SECONDS):
            return await asyncio.get_running_loop().run_in_executor(WORKER, self._renewed)

    def _renewed(self) -> str:
        """Who waited behind another renewal takes what that one made."""
        if self._clock() >= self._held[1] - MARGIN_SECONDS:
            self._held = self._sign()
        return self._held[0]
