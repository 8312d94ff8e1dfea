"""Knows that the watch is alive: an unmanaged object per kind is stamped, and the stamp has to come back as an event.

A watcher can die while its process lives on; nothing else would tell, since no event and no change look alike.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from signalink_core.lifecycle import Lifecycle
from signalink_core.telemetry import logging
from signalink_core.telemetry import names as metric_names
from signalink_operator.adapters import kube as kube_api
from signalink_operator.model import ANNOTATION_MANAGED, GROUP, Key

NAME = "signalink-operator-canary"
STAMP = f"{GROUP}/stamp"
log = logging.get_logger(__name__)


class Canary(Lifecycle):
    """`every_seconds` 0: there is none, and the watch counts as alive."""

    def __init__(
        self,
        kube: kube_api.Kube,
        namespace: str,
        kinds: Iterable[str],
        every_seconds: float = 20.0,
        stale_seconds: float = 90.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._kube, self._every, self._stale, self._clock = kube, every_seconds, stale_seconds, clock
        self._keys = [Key(kind, namespace, NAME) for kind in kinds]
        self._echoes: dict[str, float] = {}

    async def _start(self) -> None:
        self._echoes = {key.kind: self._clock() for key in self._keys}
        if not self._every:
            return
        for key in self._keys:  # from now on it counts; 0 stays with a kind that is not watched
            metric_names.OPERATOR_WATCH_ECHO_TIMESTAMP_SECONDS.labels(kind=key.kind).set(time.time())
        self.spawn(self._stamp(), "canary")

    def hears(self, key: Key) -> bool:
        """Whether an event is of a canary; then it is no resource of anybody's."""
        if key.name != NAME:
            return False
        if key in self._keys:
            self._echoes[key.kind] = self._clock()
            metric_names.OPERATOR_WATCH_ECHO_TIMESTAMP_SECONDS.labels(kind=key.kind).set(time.time())
        return True

    def silent_kind(self) -> str | None:
        """A kind whose watch brought no stamp back in time."""
        if not self.running or not self._every:
            return None
        now = self._clock()
        return next((kind for kind, heard in self._echoes.items() if now - heard > self._stale), None)

    async def _stamp(self) -> None:
        while True:
            for key in self._keys:
                try:
                    await self._stamp_one(key)
                except kube_api.KubeError as error:
                    log.warning("canary_not_stamped", kind=key.kind, what=error.detail)
            await asyncio.sleep(self._every)

    async def _stamp_one(self, key: Key) -> None:
        stamp = {STAMP: f"{time.time():.3f}"}
        try:
            await self._kube.annotate(key, stamp)
        except kube_api.Gone:
            await self._kube.create(key, {}, {ANNOTATION_MANAGED: "false", **stamp})
