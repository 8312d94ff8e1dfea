"""Asks the running processes by their internal ports: is it ready, and what does a gateway know of a channel."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx

from signalink_core.settings import read_secret
from signalink_stacks.local.ports import LOOPBACK
from signalink_stacks.local.state import ProcessRecord

SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Node:
    """`readiness` and `channel` None: it did not answer, `problem` says how. `channel` is asked of gateways only."""

    name: str
    readiness: dict[str, Any] | None = None
    channel: dict[str, Any] | None = None
    problem: str = ""

    @property
    def complaints(self) -> str:
        """What it says about its dependencies, in words; empty when all are well."""
        if self.readiness is None:
            return f"{self.name} {self.problem}"
        found = [
            f"{self.name} says {name} is {each['state']}{_bracketed(each['detail'])}"
            for name, each in self.readiness["dependencies"].items()
            if each["state"] != "ok"
        ]
        return "; ".join(found)


def _bracketed(detail: str) -> str:
    return f" ({detail.rstrip('.')})" if detail else ""


async def ask(processes: list[ProcessRecord], token_file: Path, channel_id: UUID) -> list[Node]:
    """Relays and gateways, all at once."""
    token = read_secret(token_file, "inspection")
    async with httpx.AsyncClient(
        timeout=SECONDS, trust_env=False, headers={"authorization": f"Bearer {token}"}
    ) as client:
        asked = [each for each in processes if _service(each.name) in {"relay", "gateway"}]
        return await asyncio.gather(*(_ask(client, each, channel_id) for each in asked))


def _service(name: str) -> str:
    return name.rpartition("-")[0]


async def _ask(client: httpx.AsyncClient, process: ProcessRecord, channel_id: UUID) -> Node:
    base = f"http://{LOOPBACK}:{process.ports['metrics']}"
    try:
        readiness = (await client.get(f"{base}/readyz")).json()
        channel = None
        if _service(process.name) == "gateway":
            answer = await client.get(f"{base}/debug/channel", params={"id": str(channel_id)})
            channel = answer.raise_for_status().json()
    except httpx.TimeoutException:
        return Node(process.name, problem=f"does not answer within {SECONDS:g} s ({process.health})")
    except (httpx.HTTPError, ValueError) as error:
        return Node(process.name, problem=f"cannot be asked: {error or type(error).__name__} ({process.health})")
    return Node(process.name, readiness, channel)
