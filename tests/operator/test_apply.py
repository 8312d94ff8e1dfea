"""`apply` over a fake Kafka: the report, the exit code, and that a pass without drift writes nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from signalink_operator import __main__ as command
from signalink_operator import apply, model
from signalink_operator.adapters import kafka
from signalink_operator.plans.topic import Plan


class FakeTopics:
    def __init__(self, seen: dict[str, kafka.Observed], failing: dict[str, model.Failure] | None = None) -> None:
        self.seen, self.failing = seen, failing or {}
        self.acted: dict[str, Plan] = {}

    def observe(self, names: Sequence[str], replicas: Mapping[str, int] | None = None) -> dict[str, kafka.Observed]:
        return {name: self.seen.get(name) for name in names}

    def act(self, plans: dict[str, Plan]) -> dict[str, kafka.Acted]:
        self.acted |= plans
        return {name: failure for name, failure in self.failing.items() if name in plans}


def manifest(name: str, **spec: object) -> model.Topic:
    return model.Topic.model_validate(
        {"apiVersion": model.API_VERSION, "kind": "Topic", "metadata": {"name": name}, "spec": spec}
    )


def test_each_topic_is_reported_with_what_happened_to_it() -> None:
    topics = FakeTopics(
        {
            "same": model.ObservedTopic("same", "1", 3, 1),
            "small": model.ObservedTopic("small", "2", 1, 1),
            "big": model.ObservedTopic("big", "3", 9, 1),
            "denied": model.Failure("AccessDenied", "no"),
        },
        {"bad": model.Failure("InvalidConfig", "unknown key")},
    )
    names = ["new", "same", "small", "big", "denied", "bad"]
    assert [str(result) for result in apply.run([manifest(name, partitions=3) for name in names], topics)] == [
        "created new",
        "unchanged same",
        "configured small",
        "refused big: NotSupported: partitions 9 -> 3: no topic can shrink",
        "refused denied: AccessDenied: no",
        "refused bad: InvalidConfig: unknown key",
    ]
    assert set(topics.acted) == {"new", "small", "bad"}


def test_usage_errors_end_with_64(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["aply"])
    assert ended.value.code == 64
    assert "invalid choice" in capsys.readouterr().err


def test_a_missing_manifest_ends_with_64_and_a_next_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["apply", "-f", str(tmp_path / "gone.yaml")]) == 64
    assert "Next: correct the path" in capsys.readouterr().err
