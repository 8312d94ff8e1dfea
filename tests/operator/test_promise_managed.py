"""The operator's promise against a working operator, on an emulated and on a real Kubernetes API."""

from pathlib import Path
from typing import Any

import pytest
from operatorworld import Api, working

from signalink_core.kubernetes import KubernetesApi
from signalink_core.testing import promise_operator
from signalink_core.testing.promising import Broken
from signalink_operator.testing import MemoryTopics


@pytest.fixture
def pod(api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Api:
    """What a pod in the namespace of the test finds."""
    access = api.access
    (tmp_path / "token").write_text(access.token or "none")
    (tmp_path / "namespace").write_text(api.namespace)
    if access.ca_path:
        (tmp_path / "ca.crt").write_text(Path(str(access.ca_path)).read_text())
    monkeypatch.setenv("SIGNALINK_KUBERNETES_URL", access.server)
    monkeypatch.setenv("SIGNALINK_KUBERNETES_ACCOUNT", str(tmp_path))
    return api


async def test_a_working_operator_keeps_it_and_nothing_is_left(pod: Api, memory: MemoryTopics) -> None:
    async with working(pod, memory):
        await promise_operator.managed()
    assert memory.topics == {}
    assert (await pod.call("GET", pod.path())).json()["items"] == []


async def test_a_topic_that_is_lost_with_its_resource_breaks_it(
    pod: Api, memory: MemoryTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = promise_operator._gone

    async def and_the_topic_too(api: KubernetesApi, topics: str, name: str) -> None:
        await gone(api, topics, name)
        memory.topics.pop(name, None)

    monkeypatch.setattr(promise_operator, "_gone", and_the_topic_too)
    async with working(pod, memory):
        with pytest.raises(Broken, match="Retain did not keep the topic"):
            await promise_operator.managed()


async def test_without_an_operator_it_is_broken(pod: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promise_operator, "SECONDS", 1.0)
    with pytest.raises(AssertionError, match="is not Ready: the operator wrote nothing"):
        await promise_operator.managed()


async def test_an_account_without_rights_is_told(pod: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: Any, **__: Any) -> Any:
        import httpx

        return httpx.Response(403, text="topics is forbidden")

    monkeypatch.setattr(KubernetesApi, "call", refused)
    with pytest.raises(Broken, match="answers 403 to a Topic: topics is forbidden"):
        await promise_operator.managed()
