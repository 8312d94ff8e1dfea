"""One word for one thing: the words docs/glossary.md rules out stand nowhere in code, docs or metrics."""

from collections.abc import Callable

import pytest

from house import words
from house.sources import ROOT, Tree

Sample = Callable[[dict[str, str]], Tree]
GLOSSARY = (ROOT / words.GLOSSARY).read_text(encoding="utf-8")
RULED = words.ruled_words(GLOSSARY)
TERMS = """event, envelope, record, producer, consumer, consumer group, assignment, rebalance, commit, lag, key,
tombstone, compaction, event log, outbox, relay, idempotency key, processed event, attempt, retry, backoff,
dead-letter topic, poison record, redrive, projection, tumbling window, watermark, late event, session,
channel, subscription, hub, bus, presence, position, recovery, gap, back-pressure, slow session, drain,
reconcile, desired, observed, plan, action, drift, condition, finalizer, owner reference, adopt, project,
stack, layer, component, output, chart, release, values, promise, recording rule, alert, runbook, slo, burn
rate, lab, step, check, hint, fault, reset, binding, provider, target, manifest"""


def test_no_ruled_out_word_is_used(tree: Tree) -> None:
    assert words.used(tree, RULED) == []


def test_the_glossary_defines_every_agreed_word() -> None:
    assert {" ".join(term.split()) for term in TERMS.split(",")} - words.defined_words(GLOSSARY) == set()


def test_the_glossary_rules_out_the_agreed_words_and_names_a_replacement() -> None:
    ruled = {rule.word: rule.say for rule in RULED}
    assert len(ruled) >= 6
    assert all(ruled.values())


@pytest.mark.parametrize("rule", [rule for rule in RULED if rule.where == "everywhere"], ids=lambda rule: rule.word)
def test_a_ruled_out_word_is_found_in_code_names_and_prose(rule: words.Ruled, sample: Sample) -> None:
    word = rule.word
    files = {
        "labs/a.py": f"class Message{word.capitalize()}: ...\n",
        "labs/b.py": f"my_{word}_count = 1\n",
        "docs/c.md": f"Two {word}s and a {word.upper()}.\n",
        f"labs/{word}.py": "",
    }
    assert len(words.used(sample(files), RULED)) == 4


def test_longer_words_and_names_given_by_others_are_left_alone(sample: Sample) -> None:
    longer = " ".join(f"x{rule.word} {rule.word}ish" for rule in RULED)
    given = " ".join(name for rule in RULED for name in rule.allowed)
    assert words.used(sample({"docs/a.md": f"{longer}\n{given}\n"}), RULED) == []
