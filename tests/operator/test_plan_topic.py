"""The pure decision about one topic: a table, and the algebra (apply then plan = nothing; nothing shrinks)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_operator.model import ConfigEntry, ObservedTopic, TopicSpec
from signalink_operator.plans import config as config_plan
from signalink_operator.plans.topic import (
    CreateTopic,
    DeleteConfig,
    GrowPartitions,
    Plan,
    Refuse,
    SetConfig,
    plan_topic,
)


def observed(partitions: int = 3, replicas: int = 1, **config: tuple[str, bool]) -> ObservedTopic:
    entries = {key.replace("_", "."): ConfigEntry(*entry) for key, entry in config.items()}
    return ObservedTopic("t", "id", partitions, replicas, entries)


KEEP = {"retention.ms": 1000}
CASES = [
    ("missing", TopicSpec(partitions=3, config=KEEP), None, (CreateTopic(3, None, {"retention.ms": "1000"}),)),
    ("missing, all by default", TopicSpec(), None, (CreateTopic(None, None, {}),)),
    ("as wanted", TopicSpec(partitions=3, config=KEEP), observed(retention_ms=("1000", True)), ()),
    ("nothing asked", TopicSpec(), observed(retention_ms=("9", False)), ()),
    ("grows", TopicSpec(partitions=5), observed(), (GrowPartitions(5),)),
    (
        "another value",
        TopicSpec(config=KEEP),
        observed(retention_ms=("9", True)),
        (SetConfig({"retention.ms": "1000"}),),
    ),
    (
        "the broker's default of the same value is no promise",
        TopicSpec(config=KEEP),
        observed(retention_ms=("1000", False)),
        (SetConfig({"retention.ms": "1000"}),),
    ),
    ("a key the manifest lost", TopicSpec(), observed(retention_ms=("9", True)), (DeleteConfig(("retention.ms",)),)),
]


@pytest.mark.parametrize(("spec", "seen", "actions"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_plan_holds_exactly_the_actions_needed(
    spec: TopicSpec, seen: ObservedTopic | None, actions: tuple[object, ...]
) -> None:
    assert plan_topic(spec, seen) == Plan(actions)  # type: ignore[arg-type]


def test_t05_a_shrink_is_refused_while_the_settings_of_the_same_edit_are_applied() -> None:
    plan = plan_topic(TopicSpec(partitions=1, config=KEEP), observed(partitions=3))
    assert plan.actions == (SetConfig({"retention.ms": "1000"}),)
    assert [refusal.reason for refusal in plan.refusals] == ["NotSupported"]


def test_t06_another_number_of_replicas_is_refused() -> None:
    assert plan_topic(TopicSpec(replicas=3), observed(replicas=1)).refusals == (
        Refuse("NotSupported", "replicas 1 -> 3 needs a reassignment by hand"),
    )


@pytest.mark.parametrize(
    ("key", "desired", "seen", "same"),
    [
        ("retention.ms", "1000", "1000", True),
        ("retention.ms", "01000", "1000", True),
        ("retention.ms", "-1", "1000", False),
        ("cleanup.policy", "compact,delete", "delete, compact", True),
        ("cleanup.policy", "compact", "compact,delete", False),
        ("preallocate", "True", "true", True),
        ("min.cleanable.dirty.ratio", "0.50", "0.5", True),
        ("retention.ms", "soon", "1000", False),
        ("unheard.of", "A", "a", False),
        ("retention.ms", "1", None, False),
    ],
)
def test_t03_values_are_compared_by_their_type(key: str, desired: str, seen: str | None, same: bool) -> None:
    assert config_plan.same(key, desired, seen) is same


def test_t20_settings_that_nobody_may_change_are_left_out_and_left_alone() -> None:
    allowed = frozenset({"retention.ms"})
    spec = TopicSpec(config={"retention.ms": 5, "segment.bytes": 7})
    plan = plan_topic(spec, observed(segment_bytes=("9", True), preallocate=("true", True)), allowed)
    assert plan == Plan((SetConfig({"retention.ms": "5"}),), ignored=("segment.bytes",))
    assert plan_topic(spec, None, allowed).actions == (CreateTopic(None, None, {"retention.ms": "5"}),)


def test_t06_replicas_that_a_running_reassignment_leads_to_are_accepted() -> None:
    moving = replace(observed(replicas=1), target_replicas=3)
    assert plan_topic(TopicSpec(replicas=3), moving) == Plan()


KEYS = st.sampled_from(["retention.ms", "cleanup.policy", "preallocate", "segment.bytes"])
VALUES = st.sampled_from(["1", "1000", "delete", "compact,delete", "true"])
SPECS = st.builds(
    TopicSpec,
    partitions=st.none() | st.integers(1, 20),
    replicas=st.none() | st.integers(1, 3),
    config=st.dictionaries(KEYS, VALUES),
)
TOPICS = st.none() | st.builds(
    ObservedTopic,
    name=st.just("t"),
    topic_id=st.just("id"),
    partitions=st.integers(1, 20),
    replicas=st.integers(1, 3),
    config=st.dictionaries(KEYS, st.builds(ConfigEntry, VALUES, st.booleans())),
)


def carried_out(plan: Plan, seen: ObservedTopic | None) -> ObservedTopic:
    topic = seen or ObservedTopic("t", "id", 1, 1)
    for action in plan.actions:
        config = dict(topic.config)
        match action:
            case CreateTopic():
                config = {key: ConfigEntry(value, True) for key, value in action.config.items()}
                topic = replace(topic, partitions=action.partitions or 1, replicas=action.replicas or 1)
            case GrowPartitions():
                topic = replace(topic, partitions=action.total)
            case SetConfig():
                config |= {key: ConfigEntry(value, True) for key, value in action.config.items()}
            case DeleteConfig():
                config = {key: entry for key, entry in config.items() if key not in action.keys}
        topic = replace(topic, config=config)
    return topic


@given(SPECS, TOPICS)
def test_t19_a_plan_that_was_carried_out_leaves_nothing_to_do(spec: TopicSpec, seen: ObservedTopic | None) -> None:
    plan = plan_topic(spec, seen)
    after = carried_out(plan, seen)
    assert plan_topic(spec, after) == Plan((), plan.refusals)


@given(SPECS, TOPICS)
def test_nothing_ever_shrinks(spec: TopicSpec, seen: ObservedTopic | None) -> None:
    after = carried_out(plan_topic(spec, seen), seen)
    assert seen is None or (after.partitions >= seen.partitions and after.replicas == seen.replicas)
