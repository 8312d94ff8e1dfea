"""A condition of a resource's status, as `kubectl` shows it. When it changes is decided in `plans`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Condition:
    """`reason` is CamelCase and stable; `message` is for a person and says what to do where something can be done."""

    type: str
    status: State
    reason: str
    message: str = ""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Condition:
        return cls(document["type"], document["status"], document.get("reason", ""), document.get("message", ""))

    def to_json(self, generation: int, since: str) -> dict[str, Any]:
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "observedGeneration": generation,
            "lastTransitionTime": since,
        }
