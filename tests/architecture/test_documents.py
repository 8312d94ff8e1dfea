"""The documents keep what they promise: links, sections, records with tests; each rule is shown a bad sample."""

from collections.abc import Callable

import pytest

from house import documents, hygiene
from house.sources import ROOT, Tree

Sample = Callable[[dict[str, str]], Tree]
Rule = Callable[[Tree], list[str]]
RULES: list[Rule] = [
    documents.broken_links,
    documents.incomplete_services,
    documents.bad_records,
    documents.missing_tests,
    hygiene.registry_hosts,
    hygiene.machine_paths,
    hygiene.secrets,
]
RECORD = "docs/decisions/0001-a.md"
COMPLETE = "".join(f"## {name}\ntext\n" for name in documents.SECTIONS)
BAD = [
    (documents.broken_links, {"README.md": "See [a](docs/none.md)."}),
    (documents.broken_links, {"README.md": "See [a](#nowhere).\n# Here\n"}),
    (documents.incomplete_services, {"services/x/service.toml": ""}),
    (
        documents.incomplete_services,
        {"services/x/service.toml": "", "services/x/README.md": COMPLETE.replace("## Metrics\ntext", "## Metrics")},
    ),
    (documents.bad_records, {RECORD: "# A\nNo test here.\n"}),
    (documents.bad_records, {RECORD: "`tests/a/test_a.py`\n" * 41}),
    (documents.bad_records, {"docs/decisions/first.md": "`tests/a/test_a.py`\n"}),
    (documents.missing_tests, {RECORD: "`tests/a/test_a.py::test_b`\n"}),
    (documents.missing_tests, {RECORD: "`tests/a/test_a.py::test_b`\n", "tests/a/test_a.py": "def test_c(): ...\n"}),
    (hygiene.registry_hosts, {"labs/a.toml": "index = 'https://files.python" + "hosted.org/x'"}),
    (hygiene.registry_hosts, {"labs/Dockerfile": "FROM docker" + ".io/library/python"}),
    (hygiene.machine_paths, {"labs/a.py": "path = '/ho" + "me/me/x'"}),
    (hygiene.machine_paths, {"labs/a.py": "path = '/op" + "t/kafkas/x'"}),
    (hygiene.secrets, {"labs/a.py": "key = 'AKIA" + "A" * 16 + "'"}),
]
GOOD = [
    (documents.broken_links, {"README.md": "# A b\n[a](#a-b) [c](docs/c.md#d)\n", "docs/c.md": "# D\n"}),
    (documents.broken_links, {"README.md": "```\n[a](none.md)\n```\n[b](https://example.invalid/x)\n"}),
    (documents.incomplete_services, {"services/x/service.toml": "", "services/x/README.md": COMPLETE}),
    (documents.bad_records, {RECORD: "`tests/a/test_a.py`\n"}),
    (documents.missing_tests, {RECORD: "`tests/a/test_a.py::test_b`", "tests/a/test_a.py": "def test_b(): ...\n"}),
    (hygiene.machine_paths, {"labs/a.py": "start = '/opt/kafka/bin/x', '/mnt/shared/config'"}),
    (hygiene.machine_paths, {"labs/a.py": "url = 'http://127.0.0.1/ho" + "me/x'"}),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Rule, tree: Tree) -> None:
    assert rule(tree) == []


@pytest.mark.parametrize(("rule", "files"), BAD)
def test_the_rule_finds_a_bad_sample(rule: Rule, files: dict[str, str], sample: Sample) -> None:
    assert len(rule(sample(files))) == 1


@pytest.mark.parametrize(("rule", "files"), GOOD)
def test_the_rule_leaves_a_good_sample_alone(rule: Rule, files: dict[str, str], sample: Sample) -> None:
    assert rule(sample(files)) == []


def test_every_rule_has_a_bad_sample() -> None:
    assert {rule.__name__ for rule in RULES} == {rule.__name__ for rule, _ in BAD}


def test_the_changelog_has_an_unreleased_section() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_decision_is_in_the_index(tree: Tree) -> None:
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    records = {path.name for path in (ROOT / "docs/decisions").glob("[0-9]*.md")}
    assert records
    assert all(f"]({name})" in index for name in records)
