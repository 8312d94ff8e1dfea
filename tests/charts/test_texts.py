"""A text that looks like a number is a text: in names, labels and everywhere Kubernetes wants one."""

import json
import re

import pytest
import strict
from cases import everything
from charting import ALL, RELEASED, UMBRELLA, Refused, Values, merged, render_folder, values_at, whole_charts

from signalink_stacks.charts import composed

LIKE = ["123", "1e3", "true", "null"]
"""What YAML reads as something else than a text."""
NUMBER = LIKE[0]
FEWEST = 8
"""Every chart has more such values than these; fewer: the test has lost them."""


def texts(chart: str, like: str) -> list[str]:
    """Paths of values that may be `like`, as the schema says."""
    schema = json.loads((whole_charts() / chart / "values.schema.json").read_text(encoding="utf-8"))
    return [
        path
        for path, prop in composed.leaves(schema).items()
        if prop.get("type") == "string" and "enum" not in prop and re.search(prop.get("pattern", ""), like)
    ]


def wrong(chart: str, values: Values, release: str, namespace: str) -> dict[str, str]:
    """What Kubernetes' schemas say against a rendering."""
    rendered = render_folder(whole_charts() / chart, merged(RELEASED, values), release, namespace)
    return strict.wrong(strict.NEWEST, [one for one in rendered.objects if strict.group(one) not in strict.FOREIGN])


@pytest.mark.parametrize("like", LIKE)
@pytest.mark.parametrize("chart", ALL)
def test_release_and_namespace_may_look_like_something_else(chart: str, like: str) -> None:
    assert wrong(chart, {}, like, like) == {}


@pytest.mark.parametrize("chart", sorted({*ALL} - {UMBRELLA}))
def test_every_value_that_may_look_like_a_number_stays_a_text(chart: str) -> None:
    """Beside all that can be on, or alone where the two exclude each other; what is refused is not rendered."""
    found, tried = {}, 0
    for path in texts(chart, NUMBER):
        for case in (everything(chart), {}):
            try:
                faults = wrong(chart, merged(case, values_at(path, NUMBER)), "chat", "signalink")
            except Refused:
                continue
            tried += 1
            found |= {path: faults} if faults else {}
            break
    assert found == {}
    assert tried >= FEWEST
