"""`make e2e NAME=operator`: the operator as a process between a Kubernetes API and a real broker, killed and cut off.

Owns the bars: after a kill -9 or an error at each call to Kafka's admin API the next operator converges, Kafka equals
the resources, no Event is there twice; outages of Kafka, of the API and of the watch heal; two operators never both
write; a pass without drift writes nothing. The same of Channels, beside a whole platform (channels.py). Exit 1 when one
is missed.
"""

import argparse
import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "operator")]

import channels  # noqa: E402
import kubectl  # noqa: E402
from channelground import on_platform  # noqa: E402
from expecting import Missed, expect  # noqa: E402
from operatorground import EVERYWHERE, USERS, Ground, Process, ground  # noqa: E402
from rig import REPLAY_PROFILE, Platform, concluded, say  # noqa: E402

from signalink_core.testing import eventually  # noqa: E402

CALLS = (
    "describe_topics",
    "describe_configs",
    "create_topics",
    "create_partitions",
    "incremental_alter_configs",
    "delete_topics",
)
PLACES = [(point, call) for call in CALLS for point in ("operator.before_call", "operator.after_call")]
SIZES = {"small": PLACES[4:6] + PLACES[8:], "full": PLACES}
"""Where it is killed and made to fail; small leaves the describing calls and growing out."""
DELETE = {"deletionPolicy": "Delete"}


async def equal(at: Ground, name: str, partitions: int, retention: int) -> None:
    """The topic is as its resource says, and the resource says so."""
    await at.api.until(name, "True")
    topic = await at.topic(name)
    expect(topic is not None and topic.partitions == partitions, f"{name} in Kafka: {topic}")
    assert topic is not None
    expect(topic.config["retention.ms"].value == str(retention), f"{name} in Kafka: {topic.config['retention.ms']}")


async def no_event_twice(at: Ground, name: str) -> None:
    told = Counter((item["reason"], item["metadata"]["name"]) for item in await at.api.events(name))
    expect(all(count == 1 for count in told.values()), f"Events of {name}: {told}")


async def trigger(at: Ground, name: str, call: str) -> None:
    """The edit that makes the operator use `call`."""
    if call == "create_topics":
        await at.api.apply(name, DELETE | {"partitions": 1, "config": {"retention.ms": 1000}})
    elif call == "delete_topics":
        await at.api.delete(name)
    elif call == "create_partitions":
        await at.api.edit(name, {"spec": {"partitions": 3}})
    else:
        await at.api.edit(name, {"spec": {"config": {"retention.ms": 3000}}})


async def converged(at: Ground, name: str, call: str) -> None:
    if call == "delete_topics":
        await at.api.gone(name)
        expect(await at.topic(name) is None, f"{name} is still in Kafka")
        return
    grown, changed = call == "create_partitions", call not in {"create_topics", "create_partitions"}
    await equal(at, name, 3 if grown else 1, 3000 if changed else 1000)
    await no_event_twice(at, name)


async def one_fault(at: Ground, number: int, point: str, call: str, action: str) -> None:
    """Set it, cause the call, let a dead operator be followed by a new one, and see that all is as it should be."""
    name = f"{action}-{number}"
    async with contextlib.AsyncExitStack() as stack:
        operator = await stack.enter_async_context(at.working())
        if call != "create_topics":
            await trigger(at, name, "create_topics")
            await equal(at, name, 1, 1000)
        match = {"call": call} if "call" in point else {}
        await operator.fault(point=point, action=action, count=1, match=match)
        await trigger(at, name, call)
        if action == "crash":
            expect(await operator.ended() == -signal.SIGKILL, f"the operator was not killed at {point} {call}")
            await stack.enter_async_context(at.working())
        await converged(at, name, call)


async def killed_at_each_call(at: Ground, places: list[tuple[str, str]]) -> None:
    for number, (point, call) in enumerate([*places, ("operator.after_apply", "create_topics")]):
        await one_fault(at, number, point, call, "crash")
        say(f"  killed at {point} {call}: converged")


async def failed_at_each_call(at: Ground, places: list[tuple[str, str]]) -> None:
    for number, (point, call) in enumerate(places):
        await one_fault(at, number, point, call, "error")


async def asked_to_stop_inside_each_call(at: Ground, places: list[tuple[str, str]]) -> None:
    """SIGTERM while the call is slow: the batch is finished, the exit is 0."""
    for number, call in enumerate(dict.fromkeys(call for _, call in places)):
        name = f"term-{number}"
        async with at.working() as operator:
            if call != "create_topics":
                await trigger(at, name, "create_topics")
                await equal(at, name, 1, 1000)
            slow = {"action": "delay_ms", "delay_ms": 2_000, "count": 1, "match": {"call": call}}
            await operator.fault(point="operator.before_call", **slow)
            await trigger(at, name, call)
            await eventually(lambda: operator.metric("signalink_fault_fired_total") == 1, within=30, every=0.02)
        async with at.working():
            await converged(at, name, call)


async def kafka_down_at_create_and_at_delete(at: Ground, _: object) -> None:
    async with at.working():
        await at.api.apply("doomed", DELETE | {"config": {"retention.ms": 1000}})
        await at.api.apply("kept", {"config": {"retention.ms": 1000}})
        for name in ("doomed", "kept"):
            await at.api.until(name, "True")
        await asyncio.to_thread(at.broker.stop)
        await at.api.apply("late", {"config": {"retention.ms": 1000}})
        await within(at, "late", "Unknown", "KafkaUnavailable")
        first = await at.api.condition("late")
        await at.api.delete("kept")
        await at.api.gone("kept")
        await at.api.delete("doomed")
        await within(at, "doomed", "True", "KafkaUnavailable", "DeletionBlocked")
        blocked = [item for item in await at.api.events("doomed") if item["reason"] == "KafkaUnavailable"]
        expect(len(blocked) == 1, f"Events of the blocked deletion: {len(blocked)}")
        expect(await at.api.condition("late") == first, "the time of a steady condition moved")
        began = time.monotonic()
        await asyncio.to_thread(at.broker.start)
        await eventually(lambda: _ready(at, "late"), within=130)
        say(f"  Kafka back: healed after {time.monotonic() - began:.1f} s")
        await eventually(lambda: _away(at, "doomed"), within=130)
        expect(await at.topic("kept") is not None, "a retained topic went with its resource")


async def within(at: Ground, name: str, status: str, reason: str, kind: str = "Ready") -> None:
    async def there() -> bool:
        found = await at.api.condition(name, kind)
        return (found.get("status"), found.get("reason")) == (status, reason)

    await eventually(there, within=60)


async def _ready(at: Ground, name: str) -> bool:
    return (await at.api.condition(name)).get("status") == "True"


async def _away(at: Ground, name: str) -> bool:
    return await at.api.read(name) is None


async def the_api_restarts_and_the_watch_is_cut(at: Ground, _: object) -> None:
    async with at.working() as operator:
        await at.api.apply("before", {"config": {"retention.ms": 1000}})
        await equal(at, "before", 1, 1000)
        if at.server is not None:
            await asyncio.to_thread(at.server.stop, "kube-apiserver", signal.SIGKILL)
            await asyncio.to_thread(at.server.start_api)
        elif at.cluster is not None:
            await at.cluster.cut()
        else:
            say("  left out: this API server is not ours to restart")
            return
        expect(operator.child.poll() is None or at.server is not None, f"the operator ended: {operator.tail()}")
        async with contextlib.AsyncExitStack() as stack:
            if operator.child.poll() is not None:  # it could not renew its Lease in time: a supervisor starts another
                await stack.enter_async_context(at.working())
            await at.api.edit("before", {"spec": {"config": {"retention.ms": 2000}}})
            await equal(at, "before", 1, 2000)


async def of_two_operators_one_writes(at: Ground, _: object) -> None:
    async with at.working() as first:
        second = at.start()
        await second.until_live()
        await at.api.apply("one", {"config": {"retention.ms": 1000}})
        await equal(at, "one", 1, 1000)
        expect(_calls(second) == 0, "both operators spoke to Kafka")
        first.child.kill()
        await first.ended()
        await second.until_ready()
        await at.api.apply("two", {"config": {"retention.ms": 1000}})
        await equal(at, "two", 1, 1000)
        expect(await second.end() == 0, "the second operator did not end with 0")


def _calls(operator: Process) -> float:
    return operator.metric("signalink_operator_admin_call_seconds_count")


async def a_pass_without_drift_writes_nothing(at: Ground, _: object) -> None:
    names = [f"same-{n}" for n in range(20)]
    for name in names:
        await at.api.apply(name, {"config": {"retention.ms": 1000}})
    async with at.working(resync_seconds=1, canary_seconds=0) as operator:
        for name in names:
            await at.api.until(name, "True")
        before = await versions(at, names)
        passes = operator.metric("signalink_operator_reconcile_seconds_count")
        await eventually(
            lambda: operator.metric("signalink_operator_reconcile_seconds_count") >= passes + 3 * len(names), within=60
        )
        writes = 'signalink_operator_admin_call_seconds_count{call="create_topics",result="ok"}'
        expect(await versions(at, names) == before, "a pass without drift wrote to Kubernetes")
        expect(operator.metric(writes) <= len(names), "a pass without drift wrote to Kafka")


async def versions(at: Ground, names: list[str]) -> list[str]:
    return [str(((await at.api.read(name)) or {})["metadata"]["resourceVersion"]) for name in names]


async def the_namespace_goes_with_the_operator_in_it(at: Ground, _: object) -> None:
    """Resources that retain their topics go at once; one that deletes is put to Retain first, as the README says."""
    if at.server is None or "kube-controller-manager" not in at.server.processes:
        say("  left out: a server of its own with kube-controller-manager is needed")
        return
    async with at.elsewhere() as other, other.working() as operator:
        await other.api.apply("stays", {"config": {"retention.ms": 1000}})
        await other.api.apply("went", DELETE)
        for name in ("stays", "went"):
            await other.api.until(name, "True")
        (await other.api.edit("went", {"spec": {"deletionPolicy": "Retain"}})).raise_for_status()
        await eventually(lambda: _without_finalizer(other, "went"), within=30)
        await at.api.call("DELETE", f"/api/v1/namespaces/{other.api.namespace}")
        await eventually(lambda: _no_namespace(other), within=90)
        for name in ("stays", "went"):
            expect(await at.topic(name) is not None, f"{name} went with the namespace")
        operator.child.kill()  # its Lease went with the namespace; a pod would have been ended with it
        await operator.ended()


async def _without_finalizer(at: Ground, name: str) -> bool:
    return not ((await at.api.read(name)) or {})["metadata"].get("finalizers")


async def _no_namespace(at: Ground) -> bool:
    return (await at.api.call("GET", f"/api/v1/namespaces/{at.api.namespace}")).status_code == 404


async def the_rights_of_the_readme_are_enough_and_no_more(at: Ground, _: object) -> None:
    """The operator as a user with operator/rbac.yaml alone: it does all it does, and may do nothing else."""
    if at.server is None:
        say("  left out: a server of its own is needed")
        return
    for user in USERS:
        await with_the_rights_of(at, user)


async def with_the_rights_of(at: Ground, user: str) -> None:
    watched = {"watch_namespaces": ""} if user == EVERYWHERE else {}
    async with at.elsewhere(user) as other, other.working(canary_seconds=1, **watched) as operator:
        await other.api.apply("allowed", DELETE | {"config": {"retention.ms": 1000}})
        await equal(other, "allowed", 1, 1000)
        await other.api.apply("broken", {"replicas": 9})
        await other.api.until("broken", "False", "InvalidReplicas")
        expect(len(await other.api.events("broken")) == 1, "no Event could be written")
        await other.api.delete("allowed")
        await other.api.gone("allowed")
        await eventually(lambda: operator.metric("signalink_operator_watch_echo_timestamp_seconds") > 0, within=30)
        refused = [line for line in operator.tail().splitlines() if " with 403" in line]
        expect(not refused, f"denied: {refused}")
        foreign = other.api.of("Channel").path("anything")
        for method, path in (("GET", "/api/v1/secrets"), ("DELETE", foreign), ("GET", "/api/v1/pods")):
            answer = await other.as_user(user, method, path)
            expect(answer == 403, f"the operator may {method} {path}: {answer}")


async def a_person_understands_it(at: Ground, _: object) -> None:
    """Prints what kubectl shows of a topic that cannot be made."""
    async with at.working():
        await at.api.apply("payments", {"replicas": 9, "partitions": 3})
        await at.api.until("payments", "False", "InvalidReplicas")
        await kubectl.says(at, "topic", "payments", "InvalidReplicas")


Step = Callable[..., Awaitable[None]]
STEPS: tuple[Step, ...] = (
    killed_at_each_call,
    failed_at_each_call,
    asked_to_stop_inside_each_call,
    kafka_down_at_create_and_at_delete,
    the_api_restarts_and_the_watch_is_cut,
    of_two_operators_one_writes,
    a_pass_without_drift_writes_nothing,
    the_namespace_goes_with_the_operator_in_it,
    the_rights_of_the_readme_are_enough_and_no_more,
    a_person_understands_it,
)


def chosen(steps: Iterable[Step], only: str) -> list[Step]:
    return [step for step in steps if only in step.__name__]


async def proof(size: str, only: str, platform: Platform | None) -> tuple[int, str]:
    """How many steps held, and on which Kubernetes API."""
    async with ground() as at:
        say(f"on {at.described}")
        held = 0
        for step in chosen(STEPS, only):
            held += await timed(step, at, SIZES[size])
        if platform is not None:
            async with on_platform(at, platform) as beside:
                for step in chosen(channels.SIZES[size], only):
                    held += await timed(step, beside)
        return held, at.described


async def timed(step: Step, *given: object) -> int:
    began = time.monotonic()
    await step(*given)
    say(f"{step.__name__.replace('_', ' ')}: ok ({time.monotonic() - began:.1f} s)")
    return 1


def program(size: str, only: str) -> bool:
    verdict, held, described = "ok", 0, "no Kubernetes API"
    try:
        with contextlib.ExitStack() as stack:
            wanted = chosen(channels.SIZES[size], only)
            platform = stack.enter_context(Platform(REPLAY_PROFILE)) if wanted else None
            held, described = asyncio.run(proof(size, only, platform))
    except (Missed, AssertionError, TimeoutError, subprocess.TimeoutExpired) as error:
        verdict = "missed"
        say(f"MISSED {error!r}")
    count = len(STEPS) + len(channels.SIZES[size])
    say(f"operator: {held} of {count} promises held on {described} and a real broker (bar: all) {verdict}")
    return verdict == "ok" and (bool(only) or held == count)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="run the steps whose name holds this")
    given = parser.parse_args()
    return concluded("operator", lambda: program(given.size, given.only))


if __name__ == "__main__":
    sys.exit(main())
