"""The committed documents are what the code says."""

import json
from pathlib import Path

from signalink_api import app, openapi
from signalink_api.problems import CATALOGUE

FOLDER = Path(__file__).parents[2] / "docs" / "api"
AGAIN = "run: python -m signalink_api.openapi"


def test_the_committed_openapi_document_is_the_generated_one() -> None:
    committed = json.loads((FOLDER / "openapi.json").read_text("utf-8"))
    assert committed == openapi.document(), AGAIN


def test_the_committed_problem_table_is_the_generated_one() -> None:
    assert (FOLDER / "problems.md").read_text("utf-8") == openapi.problem_table(), AGAIN


def test_every_route_has_a_name_of_its_own_and_says_what_it_does() -> None:
    operations = [operation for path in openapi.document()["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) == sum(len(route.methods or ()) for route in app.routes())
    assert all(operation["description"] for operation in operations)


def test_every_reference_of_the_document_is_defined() -> None:
    document = openapi.document()
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/")[1:]}:
        kind, _, found = name.partition("/")
        assert found in document["components"][kind]


def test_every_problem_of_a_feature_is_documented_at_some_route() -> None:
    text = json.dumps(openapi.document()["paths"])
    hidden = {"method_not_allowed", "page_not_built", "fault_injected"}  # of no route; only where faults are on
    assert [code for code in CATALOGUE if f"`{code}`" not in text and code not in hidden] == []
