"""The promises about Channels, on a real platform: its api, its relay and its Kafka, with the operator as a process."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Awaitable, Callable

import kubectl
from channelground import ChannelGround
from expecting import Missed, expect
from operatorground import EVERYWHERE, USERS
from operatorworld import COLLECTED_SECONDS
from rig import say

from signalink_core.client import ApiProblem
from signalink_core.testing import eventually

__all__ = ["SIZES", "Missed"]

DELETE = {"deletionPolicy": "Delete"}
ANA = {"user": "ana", "role": "Owner"}
PUTS = [("operator.before_call", {"call": "put_channel"}), ("operator.after_call", {"call": "put_channel"})]
DELETES = [("operator.before_call", {"call": "delete_channel"}), ("operator.after_call", {"call": "delete_channel"})]
AFTER = [("operator.after_apply", {"kind": "Channel"})]


async def a_channel_is_ready_through_the_real_api(at: ChannelGround) -> None:
    """Members, quota and name are there; who is no user yet follows at a full pass; a shorter Exact list removes."""
    async with at.working(resync_seconds=1):
        members = [ANA, {"user": "ben"}, {"user": "dora", "role": "Reader"}]
        await at.channels.apply("general", {"displayName": "General", "members": members})
        told = await at.until("general", "False", "UnknownUsers", "MembersResolved")
        expect("dora" in told["message"], f"the unknown user is not named: {told}")
        await at.until("general", "True", "Reconciled")
        held, status = await at.held("general"), await at.status("general")
        expect(held is not None and held["id"] == status["channelId"], f"{held} {status}")
        expect(await at.roles("general") == {"ana": "owner", "ben": "member"}, f"{await at.roles('general')}")
        await at.register("dora")
        await at.until("general", "True", "AllKnown", "MembersResolved")
        expect((await at.roles("general"))["dora"] == "reader", "who became a user is no member")
        await at.channels.edit("general", {"spec": {"membersPolicy": "Exact", "members": [ANA]}})
        await at.until("general", "True")
        expect(await at.roles("general") == {"ana": "owner"}, f"{await at.roles('general')}")


async def an_answer_that_is_lost_leaves_one_channel(at: ChannelGround) -> None:
    """C01: the call was carried out, its answer was not seen; the repeat has the same id."""
    async with at.working() as operator:
        await operator.fault(point="operator.after_call", action="error", count=1, match={"call": "put_channel"})
        await at.channels.apply("lost", {"members": [ANA]})
        await eventually(lambda: operator.metric("signalink_fault_fired_total") == 1, within=30, every=0.02)
        made = await at.held("lost")
        await at.until("lost", "True")
        expect(made is not None and (await at.status("lost"))["channelId"] == made["id"], f"another channel: {made}")
    await no_event_twice(at, "lost")


async def killed_at_each_place_of_a_pass_over_a_channel(at: ChannelGround) -> None:
    """kill -9 before and after the call, and between the call and the status: the next operator converges."""
    for number, (point, match) in enumerate([*PUTS, *DELETES, *AFTER]):
        name = f"killed-{number}"
        async with contextlib.AsyncExitStack() as stack:
            operator = await stack.enter_async_context(at.working())
            deletes = match.get("call") == "delete_channel"
            if deletes:
                await at.channels.apply(name, DELETE)
                await at.until(name, "True")
            await operator.fault(point=point, action="crash", count=1, match=match)
            await (at.channels.delete(name) if deletes else at.channels.apply(name, {**DELETE, "members": [ANA]}))
            expect(await operator.ended() == -signal.SIGKILL, f"the operator was not killed at {point} {match}")
            await stack.enter_async_context(at.working())
            if deletes:
                await at.channels.gone(name)
                expect(await at.held(name) is None, f"{name} is still there")
            else:
                await at.until(name, "True")
                held = await at.held(name)
                expect(held is not None and held["id"] == (await at.status(name))["channelId"], f"{held}")
                await no_event_twice(at, name)
        say(f"  killed at {point} {match}: converged")


async def no_event_twice(at: ChannelGround, name: str) -> None:
    told = Counter((item["reason"], item["metadata"]["name"]) for item in await at.channels.events(name))
    expect(all(count == 1 for count in told.values()), f"Events of {name}: {told}")


async def a_quota_holds_for_people(at: ChannelGround) -> None:
    """C04: the post beyond the quota is 429, the member beyond it is refused; the resource is what says so."""
    async with at.working():
        members = [ANA, {"user": "ben"}]
        quota = {"messagesPerSecond": 2, "maxMembers": 2}
        await at.channels.apply("small", {"visibility": "Public", "members": members, "quota": quota})
        await at.until("small", "True")
        channel = (await at.status("small"))["channelId"]
        expect("rate_limited" in await codes(at, channel, 8), "no post beyond the quota was refused")
        try:
            await at.people["cleo"].join(channel)
            raise Missed("a member beyond the quota was let in")
        except ApiProblem as problem:
            expect(problem.document.get("reason") == "channel_full", f"refused otherwise: {problem}")


async def codes(at: ChannelGround, channel: str, posts: int) -> set[str]:
    """What posts in one go are refused with."""
    client = at.people["ana"]

    async def post(number: int) -> str:
        try:
            await client.post_message(channel, f"post {number}", attempts=1)
        except ApiProblem as problem:
            return problem.code
        return "ok"

    return set(await asyncio.gather(*map(post, range(posts))))


async def a_topic_made_with_a_channel_takes_its_events_too(at: ChannelGround) -> None:
    """C05, C07: the relay sends there as well as to `messages`; the Topic goes with the Channel, its records stay."""
    async with at.working():
        await at.channels.apply("topical", {"members": [ANA], "topic": {"partitions": 2}})
        await at.until("topical", "True")
        status = await at.status("topical")
        expect(status["topicName"] == "topical", f"{status}")
        posted = await at.people["ana"].post_message(status["channelId"], "to both")
        for topic in ("messages", "topical"):
            await eventually(lambda topic=topic: at.in_topic(topic, posted.id), within=30)  # type: ignore[misc]
            expect(await at.in_topic(topic, posted.id) == 1, f"{topic} has it more than once")
        await at.channels.delete("topical")
        await at.channels.gone("topical")
        if at.server is not None and "kube-controller-manager" not in at.server.processes:
            say("  left out: that the Topic is collected needs kube-controller-manager")
            return
        await at.api.gone("topical", COLLECTED_SECONDS)
        expect(await at.topic("topical") is not None, "the records went with the Channel")


async def each_policy_says_what_is_left(at: ChannelGround) -> None:
    """C08: Retain untouched, Archive readable and closed, Delete gone."""
    async with at.working():
        channels = {}
        for policy in ("Retain", "Archive", "Delete"):
            name = policy.lower()
            await at.channels.apply(name, {"deletionPolicy": policy, "members": [ANA]})
            await at.until(name, "True")
            channels[name] = (await at.status(name))["channelId"]
            await at.people["ana"].post_message(channels[name], "before")
            await at.channels.delete(name)
            await at.channels.gone(name)
        expect(await codes(at, channels["retain"], 1) == {"ok"}, "a retained channel takes no posts")
        expect(await codes(at, channels["archive"], 1) == {"archived"}, "an archived channel takes posts")
        read = await at.people["ana"].messages(channels["archive"])
        expect(len(read["items"]) == 1, f"an archived channel cannot be read: {read}")
        expect(await codes(at, channels["delete"], 1) == {"not_found"}, "a deleted channel is there")
        expect(await at.held("delete") is None, "a deleted channel keeps its slug")


async def a_channel_of_people_is_taken_over_only_with_the_annotation(at: ChannelGround) -> None:
    """C09."""
    made = await at.people["ana"].create_channel("by-hand", "By hand")
    async with at.working():
        await at.channels.apply("by-hand", {"members": [{"user": "ben"}]})
        await at.until("by-hand", "False", "NameTaken")
        await at.channels.annotate("by-hand", adopt="true")
        await at.until("by-hand", "True")
        expect((await at.status("by-hand"))["channelId"] == made["id"], "another channel was made")
        expect(await at.roles("by-hand") == {"ana": "owner", "ben": "member"}, f"{await at.roles('by-hand')}")


async def an_api_that_stands_still_and_a_token_that_was_revoked_heal(at: ChannelGround) -> None:
    """C10."""
    async with at.working(resync_seconds=2) as operator:
        with at.paused_api():
            await at.channels.apply("late", {"members": [ANA]})
            await at.until("late", "Unknown", "ApiUnavailable")
        await at.until("late", "True")
        at.revoke_tokens()
        await at.channels.edit("late", {"spec": {"displayName": "Later"}})
        await at.until("late", "False", "ApiUnauthorized")
        token = at.token_file.read_text(encoding="utf-8").strip()
        at.issue_token()
        await at.until("late", "True")
        log = operator.log.read_text(encoding="utf-8")
        for secret in (token, at.token_file.read_text(encoding="utf-8").strip()):
            expect(secret not in log, "a token stands in the log")


async def a_pass_over_channels_without_drift_writes_nothing(at: ChannelGround) -> None:
    names = [f"same-{number}" for number in range(5)]
    for name in names:
        await at.channels.apply(name, {"members": [ANA, {"user": "ben"}], "quota": {"slowModeSeconds": 1}})
    async with at.working(resync_seconds=1, canary_seconds=0) as operator:
        for name in names:
            await at.until(name, "True")
        before = [await at.channels.read(name) for name in names]
        events = [(await at.people["ana"].events(body["status"]["channelId"]))["last_seq"] for body in before if body]
        done = operator.metric("signalink_operator_reconcile_seconds_count")
        await eventually(
            lambda: operator.metric("signalink_operator_reconcile_seconds_count") >= done + 3 * len(names), within=60
        )
        expect([await at.channels.read(name) for name in names] == before, "a pass wrote to Kubernetes")
        after = [(await at.people["ana"].events(body["status"]["channelId"]))["last_seq"] for body in before if body]
        expect(after == events, f"a pass made events: {events} {after}")


async def the_rights_of_the_readme_are_enough_for_channels(at: ChannelGround) -> None:
    """As users with operator/rbac.yaml alone, bound everywhere or in one namespace: nothing is denied."""
    if at.server is None:
        say("  left out: a server of its own is needed")
        return
    for user in USERS:
        watched = {"watch_namespaces": ""} if user == EVERYWHERE else {}
        async with at.elsewhere(user) as other, other.working(canary_seconds=1, **watched) as operator:
            assert isinstance(other, ChannelGround)
            name = f"rights-{user}"
            await other.channels.apply(name, {**DELETE, "members": [ANA, {"user": "nobody-yet"}], "topic": {}})
            await other.until(name, "True")
            await other.channels.edit(name, {"spec": {"topic": {"config": {"retention.ms": 9000}}}})
            await other.until(name, "True")
            expect(len(await other.channels.events(name)) >= 1, "no Event could be written")
            await other.channels.edit(name, {"spec": {"topic": None}})
            await other.api.gone(name)
            await other.channels.delete(name)
            await other.channels.gone(name)
            refused = [line for line in operator.tail().splitlines() if " with 403" in line]
            expect(not refused, f"denied: {refused}")


async def a_person_understands_a_channel_that_is_not_ready(at: ChannelGround) -> None:
    """Prints what kubectl shows."""
    async with at.working():
        spec = {"members": [ANA, {"user": "nobody-yet"}], "topic": {"replicas": 9}}
        await at.channels.apply("support", spec)
        await at.until("support", "False", "TopicNotReady")
        await kubectl.says(at, "channel", "support", "TopicNotReady")


STEPS: tuple[Callable[[ChannelGround], Awaitable[None]], ...] = (
    a_channel_is_ready_through_the_real_api,
    an_answer_that_is_lost_leaves_one_channel,
    killed_at_each_place_of_a_pass_over_a_channel,
    a_quota_holds_for_people,
    a_topic_made_with_a_channel_takes_its_events_too,
    each_policy_says_what_is_left,
    a_channel_of_people_is_taken_over_only_with_the_annotation,
    an_api_that_stands_still_and_a_token_that_was_revoked_heal,
    a_pass_over_channels_without_drift_writes_nothing,
    the_rights_of_the_readme_are_enough_for_channels,
    a_person_understands_a_channel_that_is_not_ready,
)
LONG = (
    killed_at_each_place_of_a_pass_over_a_channel,
    an_api_that_stands_still_and_a_token_that_was_revoked_heal,
)
SIZES = {"small": tuple(step for step in STEPS if step not in LONG), "full": STEPS}
"""Small leaves out what waits for Leases and time-outs: 75 s of 130."""
