"""Mail, push and webhooks leave the cluster whatever further rules people write; nobody else goes there."""

from typing import Any

import pytest
from charting import SERVICES, Rendered, Values, render

FURTHER = {"to": [{"ipBlock": {"cidr": "169.254.170.23/32"}}], "ports": [{"port": 80}]}
"""As the eks stack gives it to every service."""


def ways_out(rendered: Rendered) -> list[tuple[Any, set[int]]]:
    """(peer, ports) of the rules for everybody's addresses."""
    (policy,) = [
        one["spec"]
        for one in rendered.lasting("NetworkPolicy")
        if one["spec"]["podSelector"]["matchLabels"].get("app.kubernetes.io/name") == rendered.chart
        and "app.kubernetes.io/component" not in one["spec"]["podSelector"]["matchLabels"]
    ]
    return [
        (peer["ipBlock"], {port["port"] for port in rule["ports"]})
        for rule in policy["egress"]
        for peer in rule["to"]
        if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0"
    ]


@pytest.mark.parametrize("values", [{}, {"networkPolicy": {"extraEgress": [FURTHER]}}])
def test_a_further_rule_does_not_take_the_internet_away(values: Values) -> None:
    rendered = render("notifications", values)
    ((block, ports),) = ways_out(rendered)
    assert ports == {25, 443, 465, 587}
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(block["except"])
    assert ("169.254.170.23/32" in rendered.text) == bool(values)


def test_the_internet_can_be_closed_or_narrowed() -> None:
    assert ways_out(render("notifications", {"internet": {"enabled": False}})) == []
    ((block, ports),) = ways_out(render("notifications", {"internet": {"ports": [2525], "except": []}}))
    assert (block, ports) == ({"cidr": "0.0.0.0/0"}, {2525})


@pytest.mark.parametrize("chart", sorted({*SERVICES} - {"notifications", "operator"}))
def test_no_other_service_goes_there(chart: str) -> None:
    assert ways_out(render(chart)) == []
