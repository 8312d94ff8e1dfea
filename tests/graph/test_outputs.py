"""What stacks say of their addresses: those by which somebody comes in, and none where nobody does."""

from typing import Any

import graphs
import pytest
from awsgraphs import BASE, EDGE, STACKS

LITE = STACKS["aws-lite"]
SOURCE = {"source": "https://git.example/signalink.git"}
SITE = "https://chat.example.org"


def said(raw: dict[str, Any]) -> dict[str, Any]:
    return graphs.of(str(raw["target"]), raw).outputs


def test_with_a_domain_the_addresses_are_under_it() -> None:
    found = said(STACKS["eks-lite"])
    assert found["urls"]["api"] == SITE and found["urls"]["gateway"].startswith("wss://chat.example.org/")
    assert "reach" not in found


def test_eks_without_one_has_none_and_says_how_to_come_in() -> None:
    """An address of the machine that happens to look is no promise: `deploy` waited for it, failed and went back."""
    found = said(graphs.EKS)
    assert found["urls"] == {}
    assert found["reach"][0] == "kubectl -n signalink port-forward service/signalink-api 8000:8000"


@pytest.mark.parametrize(
    ("aws", "urls"),
    [
        ({"region": "us-east-1", **SOURCE}, set()),
        ({key: value for key, value in EDGE.items() if key != "endpointCidrs"} | SOURCE, set()),
        (EDGE | SOURCE, {SITE, "wss://chat.example.org/v1/socket"}),
    ],
    ids=["no domain", "a domain that nobody is let in by", "a domain"],
)
def test_the_one_machine_says_addresses_only_where_it_lets_somebody_in(aws: dict[str, Any], urls: set[str]) -> None:
    assert set(said(BASE | {"target": "aws-lite", "aws": aws})["urls"].values()) == urls
