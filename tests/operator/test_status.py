"""The status after a pass: which patch, which times, which Events; all of it computed twice without a difference."""

from dataclasses import replace

import pytest
from operatorworld import resource

from signalink_operator.model import Condition, Failure, ObservedTopic, Resource
from signalink_operator.plans import retry, selector, status
from signalink_operator.plans.intent import RULES
from signalink_operator.plans.topic import Plan, Refuse

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"
SEEN = ObservedTopic("t", "id-1", 3, 1)
GOOD = status.managed(Plan(), None)
BAD = status.managed(Plan(), Failure("InvalidConfig", "Unknown topic config name: x"))


def after(one: Resource, conditions: tuple[Condition, ...], now: str, generation: int = 1) -> Resource:
    patch = status.patch(replace(one, generation=generation), conditions, status.facts("t", SEEN), now)
    return replace(one, status={**one.status, **(patch or {})})


def test_t19_a_pass_without_a_change_patches_nothing_however_late_it_is() -> None:
    told = after(resource(), GOOD, EARLY)
    assert told.status["conditions"][0]["lastTransitionTime"] == EARLY
    assert status.patch(told, GOOD, status.facts("t", SEEN), LATE) is None


def test_t19_the_observed_generation_follows_each_edit_and_the_time_of_the_condition_does_not() -> None:
    told = after(after(resource(), GOOD, EARLY), GOOD, LATE, generation=2)
    assert told.status["observedGeneration"] == 2
    assert told.status["conditions"][0]["observedGeneration"] == 2
    assert told.status["conditions"][0]["lastTransitionTime"] == EARLY


def test_the_time_moves_when_the_status_flips() -> None:
    told = after(after(resource(), GOOD, EARLY), BAD, LATE)
    assert (told.status["conditions"][0]["status"], told.status["conditions"][0]["lastTransitionTime"]) == (
        "False",
        LATE,
    )


def test_t12_facts_that_do_not_hold_any_more_are_taken_away() -> None:
    told = after(resource(), GOOD, EARLY)
    patch = status.patch(told, GOOD, dict.fromkeys(RULES["Topic"].facts), LATE)
    assert patch is not None
    assert [key for key, value in patch.items() if value is None] == list(RULES["Topic"].facts)


def test_an_event_tells_of_a_flip_and_its_name_comes_from_the_transition() -> None:
    told = after(resource(), GOOD, EARLY)
    (note,) = status.notes(told, BAD)
    assert (note.type, note.reason) == ("Warning", "InvalidConfig")
    assert status.notes(told, BAD)[0].name == note.name
    assert status.notes(after(told, BAD, LATE), BAD) == []
    (healed,) = status.notes(after(told, BAD, LATE), GOOD)
    assert (healed.type, healed.name != note.name) == ("Normal", True)


def test_a_resource_that_is_ready_at_once_needs_no_event_and_one_that_is_not_does() -> None:
    assert status.notes(resource(), GOOD) == []
    assert len(status.notes(resource(), BAD)) == 1


def test_kafka_that_does_not_answer_is_unknown_and_its_changing_words_are_left_out() -> None:
    one, two = (status.managed(None, Failure("KafkaUnavailable", text)) for text in ("after 12 ms", "after 90 ms"))
    assert one == two
    assert one[0].status == "Unknown"


def test_t05_a_refusal_is_said_in_its_own_words() -> None:
    (ready,) = status.managed(Plan(refusals=(Refuse("NotSupported", "partitions 3 -> 1: no topic can shrink"),)), None)
    assert (ready.status, ready.reason, ready.message) == (
        "False",
        "NotSupported",
        "partitions 3 -> 1: no topic can shrink",
    )


def test_t20_a_setting_that_was_left_out_is_a_warning_and_the_topic_is_ready() -> None:
    ready, warning = status.managed(Plan(ignored=("segment.bytes",)), None)
    assert (ready.status, warning.type) == ("True", "Warning")
    assert "segment.bytes" in warning.message


@pytest.mark.parametrize("reason", ["CreateDenied", "ConfigDenied", "GrowDenied", "DeleteDenied"])
def test_t18_each_denial_names_the_right_that_is_missing(reason: str) -> None:
    assert "Give the operator's Kafka user" in status.sentence(Failure(reason, "Topic authorization failed."))


def test_t11_a_blocked_deletion_says_how_to_let_go() -> None:
    ready, blocked = status.blocked(Failure("KafkaUnavailable", "no"))
    assert (ready.status, blocked.type, blocked.reason) == ("False", "DeletionBlocked", "KafkaUnavailable")
    assert "signalink.dev/force-release=true" in blocked.message


def test_attempts_wait_twice_as_long_each_time_up_to_two_minutes() -> None:
    assert [retry.delay(n) for n in (1, 2, 3, 7, 50)] == [2, 4, 8, 120, 120]


@pytest.mark.parametrize(
    ("text", "labels", "fits"),
    [
        ("", {}, True),
        ("team=a", {"team": "a"}, True),
        ("team=a", {}, False),
        ("team!=a, tier", {"tier": "x"}, True),
        ("!tier", {"tier": "x"}, False),
        ("a.b/c==d", {"a.b/c": "d"}, True),
    ],
)
def test_t14_a_selector_fits_labels_as_kubectl_does(text: str, labels: dict[str, str], fits: bool) -> None:
    assert selector.matches(text, labels) is fits


@pytest.mark.parametrize("text", ["a in (b)", "!a=b", "=b"])
def test_t14_a_term_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no term of a label selector"):
        selector.terms(text)
