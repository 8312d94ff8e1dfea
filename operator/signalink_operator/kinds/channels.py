"""Channel resources: the Topic resource that a Channel may have made, then one call to the api for each channel."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from signalink_operator.adapters import kube as kube_api
from signalink_operator.kinds.base import Kind, Pass, count_drift
from signalink_operator.model import ChannelSpec, Condition, Failure, Key, ObservedChannel, Removal, Resource
from signalink_operator.plans import channel as channel_plan
from signalink_operator.plans import channel_status
from signalink_operator.store import Store


class Channels(Protocol):
    """What the passes need of the api; `adapters.channels.ApiChannels` is the real one. Keys are slugs."""

    async def put(self, documents: Mapping[str, Mapping[str, Any]]) -> Mapping[str, ObservedChannel | Failure]: ...
    async def remove(self, removals: Mapping[str, Removal]) -> Mapping[str, Failure]: ...


class ChannelKind(Kind):
    """`carried`: keys of labels that the operator's selector looks at."""

    name = "Channel"

    def __init__(
        self, channels: Channels, kube: kube_api.Kube, store: Store, carried: frozenset[str] = frozenset()
    ) -> None:
        super().__init__()
        self._channels, self._kube, self._store, self._carried = channels, kube, store, carried

    async def work(self, passes: Sequence[Pass]) -> None:
        removed = {one.intent.name: one for one in passes if one.intent.step == "delete" and one.intent.name}
        if removed:
            failed = await self._channels.remove({slug: _removal(one) for slug, one in removed.items()})
            for slug, one in removed.items():
                one.failure, one.result = failed.get(slug), "changed"
        managed = [one for one in passes if one.intent.step == "manage"]
        if managed:
            await self._put(managed, await asyncio.gather(*(self._with_topic(one) for one in managed)))

    async def _put(self, passes: Sequence[Pass], plans: Sequence[channel_plan.ChannelPlan]) -> None:
        slugs = [str(one.intent.name) for one in passes]
        outcomes = await self._channels.put({slug: plan.document for slug, plan in zip(slugs, plans, strict=True)})
        outcomes = {**outcomes, **await self._taken_over(outcomes, zip(slugs, passes, plans, strict=True))}
        for slug, one, plan in zip(slugs, passes, plans, strict=True):
            outcome = outcomes[slug]
            one.conditions = channel_status.managed(one.resource, plan, outcome)
            one.known = channel_status.facts(slug, outcome)
            if isinstance(outcome, Failure):
                one.failure = outcome
            if one.failure is not None:
                one.result = "failed"
            elif isinstance(outcome, ObservedChannel) and outcome.changed:
                one.result = "changed"
                count_drift(one.resource)

    async def _taken_over(
        self,
        outcomes: Mapping[str, ObservedChannel | Failure],
        wanted: Iterable[tuple[str, Pass, channel_plan.ChannelPlan]],
    ) -> Mapping[str, ObservedChannel | Failure]:
        """From a resource that was seen first and is not the one to have it: of two made in one second the watch may
        show the younger before the elder, and it never gives up what it got."""
        again = {}
        for slug, one, plan in wanted:
            outcome = outcomes[slug]
            losers = {channel_plan.managed_by(rival) for rival in self._store.rivals(one.resource)}
            if isinstance(outcome, Failure) and outcome.holder in losers:
                again[slug] = {**plan.document, "adopt": True}
        return await self._channels.put(again) if again else {}

    # -- its Topic resource --------------------------------------------------------------------------------------------

    async def _with_topic(self, one: Pass) -> channel_plan.ChannelPlan:
        """The plan, after its Topic resource was put right. What the API refuses there hinders no channel."""
        plan = self._plan(one, self._store.topics_of(one.resource))
        if not plan.actions:
            return plan
        one.result = "changed"
        try:
            for action in plan.actions:
                await self._carry_out(one.resource, action)
            return plan
        except kube_api.Clash as error:
            return await self._clashed(one, plan, error)
        except kube_api.Gone:
            return plan  # the watch tells what became of it
        except kube_api.ApiUnavailable as error:
            one.failure = Failure("KubernetesUnavailable", error.detail)
            return plan
        except kube_api.KubeError as error:
            return _without_topic(plan, "KubernetesRefused", error.detail)

    def _plan(self, one: Pass, topics: Mapping[str, Resource]) -> channel_plan.ChannelPlan:
        spec = one.intent.spec
        if not isinstance(spec, ChannelSpec):
            raise TypeError(f"{one.resource.key} is no Channel")
        return channel_plan.plan_channel(one.resource, spec, topics, self._carried)

    async def _carry_out(self, channel: Resource, action: channel_plan.TopicAction) -> None:
        match action:
            case channel_plan.MakeTopic():
                await self._kube.create(action.key, action.spec, {}, labels=action.labels, owner=channel)
            case channel_plan.EditTopic():
                await self._kube.edit(action.key, action.patch)
            case channel_plan.DropTopic():
                await self._kube.delete(action.key, action.uid)

    async def _clashed(
        self, one: Pass, plan: channel_plan.ChannelPlan, error: kube_api.Clash
    ) -> channel_plan.ChannelPlan:
        """Either the Topic is there and was not seen yet, or its definition refuses what was asked for."""
        if error.http_status != 409:
            return _without_topic(plan, "InvalidTopic", error.detail)
        key = Key("Topic", one.resource.key.namespace, one.resource.key.name)
        try:
            found = await self._kube.get(key)
        except kube_api.KubeError:
            return plan
        return self._plan(one, {**self._store.topics_of(one.resource), key.name: found})


def _without_topic(plan: channel_plan.ChannelPlan, reason: str, detail: str) -> channel_plan.ChannelPlan:
    condition = Condition(channel_plan.TOPIC_READY, "False", reason, detail)
    return channel_plan.ChannelPlan((), plan.document, condition)


def _removal(one: Pass) -> Removal:
    policy = one.intent.spec.deletion_policy if one.intent.spec is not None else ""
    return Removal(channel_plan.managed_by(one.resource), "delete" if policy == "Delete" else "archive")
