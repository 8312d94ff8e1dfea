"""The operator's promise: a Topic becomes Ready, Retain keeps the topic without its resource, Delete takes it away.

Runs as an account that may make, read and delete Topic resources in its namespace. Kafka's own id of the topic, in the
status, shows that the second resource found the first one's topic.
"""

import secrets
from typing import Any, Final

import httpx

from signalink_core.kubernetes import KubernetesApi
from signalink_core.testing import eventually
from signalink_core.testing.promising import expect, until

GROUP: Final = "signalink.dev/v1"
SECONDS: Final = 25.0


async def managed() -> None:
    """Made, retained, adopted again, deleted."""
    name = f"promise-{secrets.token_hex(6)}"
    async with KubernetesApi.from_env() as api:
        topics = f"/apis/{GROUP}/namespaces/{api.namespace}/topics"
        first = await _made(api, topics, name, "Retain")
        await _gone(api, topics, name)
        second = await _made(api, topics, name, "Delete")
        expect(first == second, f"Retain did not keep the topic: its id was {first}, now it is {second}")
        await _gone(api, topics, name)


async def _made(api: KubernetesApi, topics: str, name: str, policy: str) -> str:
    """Kafka's id of the topic, once the resource is Ready."""
    body = {
        "apiVersion": GROUP,
        "kind": "Topic",
        "metadata": {"name": name},
        "spec": {"partitions": 1, "deletionPolicy": policy},
    }
    answer = await api.call("POST", topics, body)
    expect(answer.is_success, f"Kubernetes answers {answer.status_code} to a Topic: {answer.text[:200]}")

    async def ready() -> dict[str, Any]:
        found = (await api.call("GET", f"{topics}/{name}")).json().get("status", {})
        conditions = {each["type"]: each for each in found.get("conditions", [])}
        state = conditions.get("Ready", {})
        if state.get("status") != "True":
            raise AssertionError(f"Topic {name} is not Ready: {state.get('message') or 'the operator wrote nothing'}")
        return dict(found)

    status: dict[str, Any] = await eventually(ready, within=SECONDS, every=0.2)
    return str(status["topicId"])


async def _gone(api: KubernetesApi, topics: str, name: str) -> None:
    await api.call("DELETE", f"{topics}/{name}")

    async def away() -> bool:
        code = (await api.call("GET", f"{topics}/{name}")).status_code
        if code != httpx.codes.NOT_FOUND:
            raise AssertionError(f"Topic {name} is still there: {code}")
        return True

    await until(away, SECONDS, every=0.2)
