"""One writer at a time: a coordination.k8s.io Lease that is taken before anything is watched, and renewed for life.

A holder is dead when its Lease did not change for as long as it holds, measured by our own clock: clocks of two
machines are never compared. Who cannot renew in two thirds of that stops, so it has ended before another begins.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from signalink_core.clock import utc_now
from signalink_core.errors import SignalinkError
from signalink_core.lifecycle import Lifecycle
from signalink_core.telemetry import logging
from signalink_core.telemetry import names as metric_names
from signalink_operator.adapters import kube as kube_api

log = logging.get_logger(__name__)


class LeaseLost(SignalinkError):
    """Another operator may be writing now: this process has to end."""

    code = "lease_lost"


class Lease(Lifecycle):
    """`acquire` waits until it is ours; from then on it is renewed three times in `seconds`. Stopping gives it back."""

    def __init__(
        self,
        kube: kube_api.Kube,
        namespace: str,
        name: str,
        holder: str,
        seconds: float = 30.0,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__()
        self._kube, self._namespace, self._name, self._holder = kube, namespace, name, holder
        self._seconds, self._now = seconds, now
        self._held: dict[str, Any] | None = None
        self._seen: tuple[object, float] = (None, 0.0)

    @property
    def held(self) -> bool:
        return self._held is not None

    async def acquire(self) -> None:
        """Wait until nobody else holds it, take it, and begin to renew it."""
        waited = False
        while not await self._try():
            if not waited:
                waited = True
                log.info("lease_waiting", lease=self._name, seconds=self._seconds)
            await asyncio.sleep(self._seconds / 3)
        log.info("lease_held", lease=self._name, holder=self._holder)
        metric_names.OPERATOR_LEASE_HELD.set(1)
        self.spawn(self._renew(), "lease")

    async def _try(self) -> bool:
        try:
            found = await self._kube.lease(self._namespace, self._name)
            if found is not None and not self._free(found):
                return False
            self._held = await self._kube.write_lease(self._namespace, self._body(found))
        except (kube_api.Clash, kube_api.ApiUnavailable) as error:
            log.debug("lease_not_taken", what=error.detail)
            return False
        return True

    def _free(self, found: dict[str, Any]) -> bool:
        spec = found["spec"]
        if not spec.get("holderIdentity") or spec["holderIdentity"] == self._holder:
            return True
        state = (spec["holderIdentity"], spec.get("renewTime"))
        if state != self._seen[0]:
            self._seen = (state, time.monotonic())
        return time.monotonic() - self._seen[1] > float(spec.get("leaseDurationSeconds", self._seconds))

    def _body(self, found: dict[str, Any] | None, holder: str | None = None) -> dict[str, Any]:
        meta: dict[str, Any] = {"name": self._name, "namespace": self._namespace}
        if found is not None:
            meta["resourceVersion"] = found["metadata"]["resourceVersion"]
        now = self._now().isoformat(timespec="microseconds").replace("+00:00", "Z")
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": meta,
            "spec": {
                "holderIdentity": self._holder if holder is None else holder,
                "leaseDurationSeconds": max(1, round(self._seconds)),
                "acquireTime": now,
                "renewTime": now,
            },
        }

    async def _renew(self) -> None:
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(self._seconds / 3)
            try:
                async with asyncio.timeout(self._seconds / 3):
                    self._held = await self._kube.write_lease(self._namespace, self._body(self._held))
                renewed = time.monotonic()
            except kube_api.Clash as error:
                await self._taken(error)
            except (kube_api.KubeError, TimeoutError) as error:
                log.warning("lease_not_renewed", what=str(error))
            if time.monotonic() - renewed > self._seconds * 2 / 3:
                metric_names.OPERATOR_LEASE_HELD.set(0)
                raise LeaseLost(f"The Lease {self._name} could not be renewed for {self._seconds * 2 / 3:.0f} s.")

    async def _taken(self, error: kube_api.KubeError) -> None:
        """Somebody wrote it: ours still only if it was a write of our own whose answer was lost."""
        found = await self._kube.lease(self._namespace, self._name)
        if found is None or found["spec"].get("holderIdentity") != self._holder:
            metric_names.OPERATOR_LEASE_HELD.set(0)
            raise LeaseLost(f"The Lease {self._name} belongs to another operator now.") from error
        self._held = found

    async def _stop(self) -> None:
        metric_names.OPERATOR_LEASE_HELD.set(0)
        if self._held is None:
            return
        try:
            await self._kube.write_lease(self._namespace, self._body(self._held, holder=""))
        except kube_api.KubeError as error:
            log.info("lease_not_given_back", what=error.detail)
        self._held = None
