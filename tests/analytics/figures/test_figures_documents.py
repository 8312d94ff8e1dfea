"""The committed documents of the figures are what the code says, and every code of theirs is documented at a route."""

import json
from pathlib import Path

from signalink_analytics import openapi, routes
from signalink_analytics.problems import CATALOGUE

FOLDER = Path(__file__).parents[3] / "docs" / "api"
AGAIN = "run: make docs"
# Of no route, or answered by none of these: nothing is written here.
HIDDEN = {"method_not_allowed", "fault_injected", "conflict", "unsupported_media_type"}


def test_the_committed_openapi_document_is_the_generated_one() -> None:
    committed = json.loads((FOLDER / openapi.DOCUMENT).read_text("utf-8"))
    assert committed == openapi.document(), AGAIN


def test_the_committed_problem_table_is_the_generated_one() -> None:
    assert (FOLDER / openapi.PROBLEMS).read_text("utf-8") == openapi.problem_table(), AGAIN


def test_writing_makes_both(tmp_path: Path) -> None:
    openapi.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [openapi.PROBLEMS, openapi.DOCUMENT]


def test_every_route_has_a_name_of_its_own_needs_a_token_and_says_what_it_does() -> None:
    operations = [path["get"] for path in openapi.document()["paths"].values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) == len(routes.routes())
    assert all(operation["description"] and operation["security"] for operation in operations)


def test_every_reference_is_defined_and_every_problem_stands_at_a_route() -> None:
    document = openapi.document()
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/")[1:]}:
        kind, _, found = name.partition("/")
        assert found in document["components"][kind]
    assert [code for code in CATALOGUE if f"`{code}`" not in text and code not in HIDDEN] == []
