"""Every row of the checklist on every chart, as it comes, with everything on and with as little as possible."""

import functools

import checklist
import checklist_renders
import pytest
from cases import CASES, PAIRS
from charting import ALL, ROOT, render

from signalink_core.manifest import ServiceManifest
from signalink_stacks.charts import facts


@functools.cache
def manifests() -> dict[str, ServiceManifest]:
    return {manifest.name: manifest for manifest in facts.manifests(ROOT)}


@pytest.mark.parametrize("row", checklist.ROWS)
@pytest.mark.parametrize(("chart", "case"), PAIRS)
def test_the_chart_keeps_the_row(chart: str, case: str, row: str) -> None:
    subject = checklist.Subject(render(chart, CASES[case](chart)), case, manifests())
    assert subject.objects
    assert checklist.ROWS[row](subject) == []


@pytest.mark.parametrize("row", checklist_renders.ROWS)
@pytest.mark.parametrize("chart", ALL)
def test_the_chart_keeps_the_row_over_several_renderings(chart: str, row: str) -> None:
    if checklist_renders.applies(row, chart):
        assert checklist_renders.ROWS[row](chart, render) == []
