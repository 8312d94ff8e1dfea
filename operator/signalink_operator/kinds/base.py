"""One resource on its way through a batch, and what the reconciler needs of a kind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from signalink_core.lifecycle import Lifecycle
from signalink_core.telemetry import names as metric_names
from signalink_operator.model import Condition, Failure, Resource
from signalink_operator.plans import intent as intents


@dataclass
class Pass:
    """`conditions` and `known` facts are for the status; `failure` decides on another try."""

    resource: Resource
    intent: intents.Intent
    conditions: tuple[Condition, ...] = ()
    known: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    result: str = "unchanged"


class Kind(Lifecycle):
    """`work` observes, plans and acts for one batch; it is not called again before it has returned."""

    name: str

    def __init__(self) -> None:
        super().__init__()
        self.turn = asyncio.Lock()

    async def work(self, passes: Sequence[Pass]) -> None:
        """Do what the intents `manage` and `delete` ask for, and say in each pass what came of it."""
        raise NotImplementedError


def count_drift(resource: Resource) -> None:
    """Something was changed: it is drift where the outside was as this very spec says before."""
    conditions = resource.status.get("conditions") or ()
    fine = all(item["status"] == "True" for item in conditions if item["type"] != "Warning")
    ready = fine and any(item["type"] == intents.READY for item in conditions)
    if ready and resource.status.get("observedGeneration") == resource.generation and not resource.deleting:
        metric_names.OPERATOR_DRIFT_TOTAL.labels(kind=resource.key.kind).inc()
