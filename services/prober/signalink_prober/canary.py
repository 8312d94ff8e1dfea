"""A post of one bot must come to the other's socket at each gateway: through api, log, Redis and fan-out, for real."""

import asyncio
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from signalink_core.client import ClientError
from signalink_core.lifecycle import Lifecycle
from signalink_core.readiness import Readiness
from signalink_core.telemetry import logging, names
from signalink_prober.bots import BOTS, Bots
from signalink_prober.views import View

ARRIVE_SECONDS = 5.0
LOOK_SECONDS = 0.005
POST_SECONDS = 10.0
BODY = "canary"

log = logging.get_logger(__name__)


class Canary(Lifecycle):
    """The bots take turns, one post every `every` seconds."""

    def __init__(self, bots: Bots, readiness: Readiness, gateways: tuple[str, ...], every: float) -> None:
        super().__init__()
        self._bots, self._readiness, self._every = bots, readiness, every
        self._turn = 0
        for url in gateways:
            names.CANARY_LAST_SUCCESS_TIMESTAMP_SECONDS.labels(gateway=label(url)).set(0)

    async def _start(self) -> None:
        self.spawn(self._run(), "canary")

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            result, detail = await self.round()
            names.CANARY_ROUNDS_TOTAL.labels(result=result).inc()
            self._readiness.set("canary", "ok" if result == "ok" else "degraded", detail)
            await asyncio.sleep(max(0.0, began + self._every - time.monotonic()))

    async def round(self) -> tuple[str, str]:
        """One post; (the step that ended it, what to know about it)."""
        try:
            async with asyncio.timeout(ARRIVE_SECONDS):
                await self._bots.ready.wait()
        except TimeoutError:
            return "account", self._bots.problem
        poster, reader = BOTS[self._turn % 2], BOTS[(self._turn + 1) % 2]
        self._turn += 1
        began = time.monotonic()
        try:
            async with asyncio.timeout(POST_SECONDS):
                posted = await self._bots.clients[poster].post_message(self._bots.channel, BODY)
        except (ClientError, TimeoutError) as error:
            return "post", f"the api did not take the post: {error!r}"
        late = await self._arrivals(self._bots.views[reader], posted.seq, began)
        if late:
            log.warning("canary_failed", gateways=late, seq=posted.seq, posted_by=poster)
            return "socket", f"within {ARRIVE_SECONDS:.0f} s not at the socket of {', '.join(late)}"
        return "ok", ""

    async def _arrivals(self, views: Mapping[str, View], seq: int, began: float) -> list[str]:
        """Count what arrives; the gateways where it did not in time."""
        open_views = {label(url): view for url, view in views.items()}
        deadline = time.monotonic() + ARRIVE_SECONDS
        while open_views and time.monotonic() < deadline:
            for gateway, view in list(open_views.items()):
                if (at := view.arrived(seq)) is not None:
                    names.CANARY_ROUNDTRIP_SECONDS.labels(gateway=gateway).observe(max(0.0, at - began))
                    names.CANARY_LAST_SUCCESS_TIMESTAMP_SECONDS.labels(gateway=gateway).set_to_current_time()
                    del open_views[gateway]
            if open_views:
                await asyncio.sleep(LOOK_SECONDS)
        return sorted(open_views)


def label(url: str) -> str:
    """Host and port of a gateway's socket."""
    return urlsplit(url).netloc
