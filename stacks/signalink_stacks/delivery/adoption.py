"""Owns a stack's taking over the RDS instance that was restored under the name of its own.

Pulumi knows an instance by its resource id (`db-...`), which is another one after a restore. Left as it is, `refresh`
follows the lost instance under its new name, `up` gives that the old name back, and roles sign in to it.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from signalink_core.errors import ConfigurationError
from signalink_stacks.delivery.rollout import Engine
from signalink_stacks.lib import names

KIND: Final = "aws:rds/instance:Instance"
IDS: Final = ("id", "resourceId")
"""Outputs that say the same as the resource's id."""


@dataclass(frozen=True, slots=True)
class Known:
    """The instance: its name as the program gives it, whatever a refresh wrote; its id in the state."""

    name: str
    id: str
    region: str


def adopt(engine: Engine, asked: Callable[[Known], str]) -> str:
    """What was done, in one sentence. `asked`: the id that AWS knows an instance of that name by."""
    document = json.loads(engine("stack", "export"))
    known = of(document, engine.stack)
    present = asked(known)
    if present == known.id:
        return f"{known.name}: the stack {engine.stack} has {present} already; nothing was changed"
    with tempfile.TemporaryDirectory(prefix="signalink-state-") as folder:
        path = Path(folder) / "state.json"
        path.write_text(json.dumps(given(document, present)), encoding="utf-8")
        engine("stack", "import", "--file", str(path))
    return (
        f"{known.name}: the stack {engine.stack} has {present} in place of {known.id}. Next: pulumi refresh, pulumi up"
    )


def of(document: Mapping[str, Any], stack: str) -> Known:
    """The one instance of a state; ConfigurationError for none, and for several."""
    found = [each for each in resources(document) if each.get("type") == KIND and not each.get("delete")]
    if len(found) != 1:
        raise ConfigurationError(
            f"The state of {stack} has {len(found)} instances of RDS, not one.",
            next_step="say the stack whose Postgres RDS is; `pulumi stack --stack STACK` lists what it has.",
        )
    (one,) = found
    return Known(names.name(stack, "postgres"), str(one["id"]), str(one["outputs"]["arn"]).split(":")[3])


def given(document: Mapping[str, Any], present: str) -> dict[str, Any]:
    """The same state with that instance; no other resource is touched: what names the old id, `up` makes right."""
    copied: dict[str, Any] = json.loads(json.dumps(document))
    for each in resources(copied):
        if each.get("type") == KIND and not each.get("delete"):
            each["id"] = present
            each["outputs"] |= {key: present for key in IDS if key in each["outputs"]}
    return copied


def resources(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list((document.get("deployment") or {}).get("resources") or [])
