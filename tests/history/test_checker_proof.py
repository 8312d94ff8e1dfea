"""The checker's own proof: clean histories give no report, each mutation is caught under its name."""

from functools import lru_cache

import pytest

from signalink_labs.history.checker import Report, check
from signalink_labs.history.evidence import Demands
from signalink_labs.history.findings import MAX_LINES
from signalink_labs.history.proof.model import Files, Model, sources
from signalink_labs.history.proof.mutators import MUTATORS, Mutator

SEEDS = range(200)
DEMANDS = Demands(acknowledged=20, stores=("postgres", "kafka"), views=10)


@lru_cache(maxsize=len(SEEDS))
def clean(seed: int) -> Files:
    return Model(seed).files


def judge(files: Files) -> Report:
    return check(sources(files), DEMANDS)


def test_two_hundred_clean_histories_give_no_report() -> None:
    for seed in SEEDS:
        report = judge(clean(seed))
        assert (report.verdicts, report.inconclusive, report.exit_code) == (set(), [], 0), f"seed {seed}"


@pytest.mark.parametrize("mutator", MUTATORS, ids=lambda mutator: mutator.name)
def test_every_mutation_is_caught_under_its_name_and_no_other(mutator: Mutator) -> None:
    for seed in SEEDS:
        report = judge(mutator.apply(clean(seed), seed))
        assert report.verdicts == {mutator.expected.value}, f"{mutator.name}, seed {seed}"
        assert report.exit_code == 1
        for finding in report.findings:
            assert 1 <= len(finding.lines) <= MAX_LINES
            assert finding.hop
            assert finding.says


def test_the_model_covers_what_clean_runs_do() -> None:
    lines = [line for seed in SEEDS for file in clean(seed).values() for line in file]
    seen = {(line.f, line.type) for line in lines}
    assert {("send", "fail"), ("send", "info"), ("resume", "ok"), ("drain", "ok")} <= seen
    assert {"message.deleted", "member.left", "member.joined"} <= {line.kind for line in lines}


def test_a_mutation_leaves_the_clean_history_as_it_was() -> None:
    before = [source.raw for source in sources(clean(0))]
    for mutator in MUTATORS:
        mutator.apply(clean(0), 0)
    assert [source.raw for source in sources(clean(0))] == before
