"""The address plan: every subnet lies in the network, none in another, whatever network and zones are asked for."""

from ipaddress import IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.errors import ConfigurationError
from signalink_stacks.lib import cidrs

NETWORKS = st.one_of(
    st.integers(0, 255).map(lambda second: f"10.{second}.0.0/16"),
    st.integers(16, 31).map(lambda second: f"172.{second}.0.0/16"),
    st.just("192.168.0.0/16"),
)


@given(NETWORKS, st.integers(1, cidrs.MAX_ZONES))
def test_subnets_lie_in_the_network_and_never_in_each_other(network: str, count: int) -> None:
    zones = cidrs.plan(network, [f"z{place}" for place in range(count)])
    made = [IPv4Network(subnet) for zone in zones for subnet in (zone.public, zone.private)]
    assert len(made) == 2 * count
    assert all(each.subnet_of(IPv4Network(network)) and each.prefixlen == cidrs.SUBNET_PREFIX for each in made)
    assert not any(one.overlaps(other) for one, other in combinations(made, 2))


@given(NETWORKS, st.integers(1, cidrs.MAX_ZONES - 1))
def test_a_further_zone_moves_none_of_the_others(network: str, count: int) -> None:
    names = [f"z{place}" for place in range(count + 1)]
    assert cidrs.plan(network, names)[:-1] == cidrs.plan(network, names[:-1])


@pytest.mark.parametrize("network", ["10.0.0.0/8", "10.0.1.0/16", "8.8.0.0/16", "10.0.0.0/20", "ten", "fd00::/16"])
def test_a_network_that_is_no_private_16_is_refused_with_a_fix(network: str) -> None:
    with pytest.raises(ConfigurationError, match="network") as refused:
        cidrs.plan(network, ["a"])
    assert "10.20.0.0/16" in str(refused.value.next_step)


@pytest.mark.parametrize("zones", [[], ["a", "a"], [str(place) for place in range(9)]])
def test_zones_that_do_not_fit_are_refused(zones: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="zones"):
        cidrs.plan("10.0.0.0/16", zones)
