"""L1: what a month costs: sums by hand for each profile, quantities, refusals, old prices, a bad table."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from signalink_core.errors import ConfigurationError
from signalink_stacks.lib import chartfolder, images, prices
from signalink_stacks.lib.prices import Resource
from signalink_stacks.lib.settings import LIMITS_USD, Profile

TODAY = date(2026, 12, 1)
TABLE = prices.load()
LITE = [
    Resource("aws:ec2/vpc:Vpc", "net", {"cidrBlock": "10.0.0.0/16"}),
    Resource(
        "aws:ec2/instance:Instance", "lite",
        {"instanceType": "t3.micro", "associatePublicIpAddress": True, "rootBlockDevice": {"volumeSize": 20}},
    ),
    Resource("aws:budgets/budget:Budget", "budget", {}),
]  # fmt: skip
EKS = [
    Resource("aws:eks/cluster:Cluster", "cluster", {"version": "1.34"}),
    Resource(
        "aws:eks/nodeGroup:NodeGroup", "nodes",
        {"instanceTypes": ["t3.medium"], "scalingConfig": {"desiredSize": 3}},
    ),
    Resource("aws:ec2/natGateway:NatGateway", "nat", {}),
    Resource("aws:ec2/eip:Eip", "nat-address", {}),
    Resource("aws:lb/loadBalancer:LoadBalancer", "alb", {"internal": False, "subnets": ["a", "b"]}),
    Resource("aws:lb/loadBalancer:LoadBalancer", "inner", {"internal": True, "subnets": ["a", "b"]}),
    Resource("aws:rds/instance:Instance", "db", {"instanceClass": "db.t4g.micro", "allocatedStorage": 20}),
    Resource("aws:elasticache/replicationGroup:ReplicationGroup", "redis", {"nodeType": "cache.t4g.micro"}),
    Resource("kubernetes:core/v1:Namespace", "ns", {}),
]  # fmt: skip
FULL = [*EKS, Resource("aws:msk/serverlessCluster:ServerlessCluster", "kafka", {})]


def by_hand(*parts: float) -> float:
    return round(sum(parts), 2)


CASES: dict[Profile, tuple[list[Resource], float]] = {
    "small": ([Resource("kubernetes:helm.sh/v4:Chart", "signalink", {})], 0.0),
    # machine, address, 20 GB
    "aws-lite": (LITE, by_hand(0.0104 * 730, 0.005 * 730, 20 * 0.08)),
    # control plane, 3 nodes, their 90 GB, NAT and its address, 2 balancers, 2 addresses, database, its 20 GB, cache
    "lite": (
        EKS,
        by_hand(73, 3 * 0.0416 * 730, 90 * 0.08, 32.85, 3.65, 2 * 16.425, 7.30, 11.68, 2.30, 11.68),
    ),
    # the same and MSK Serverless with the 52 partitions of our topics at 0.0015 an hour
    "full": (
        FULL,
        by_hand(73, 3 * 0.0416 * 730, 90 * 0.08, 32.85, 3.65, 2 * 16.425, 7.30, 11.68, 2.30, 11.68)
        + by_hand(547.50, 52 * 0.0015 * 730),
    ),
}


def estimate(*resources: Resource) -> prices.Estimate:
    return prices.price(resources, TABLE, TODAY)


def instance(**inputs: Any) -> Resource:
    return Resource("aws:ec2/instance:Instance", "box", inputs)


@pytest.mark.parametrize("profile", CASES)
def test_the_sum_of_a_profile_is_what_a_hand_calculation_gives(profile: Profile) -> None:
    resources, expected = CASES[profile]
    assert round(estimate(*resources).monthly, 2) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("profile", CASES)
def test_every_profile_stays_below_its_default_limit(profile: Profile) -> None:
    assert prices.refusal(estimate(*CASES[profile][0]), LIMITS_USD[profile]) == ""


def test_the_partitions_that_are_priced_are_those_of_the_topics() -> None:
    partitions = sum(spec["partitions"] for spec in chartfolder.topics(images.root()).values())
    (line,) = [each for each in TABLE.of("aws:msk/serverlessCluster:ServerlessCluster") if each.besides]
    assert line.item.startswith(f"{partitions} partitions ")
    assert line.usd == pytest.approx(partitions * 0.0015)


def test_over_the_limit_names_the_three_dearest_lines() -> None:
    found = prices.refusal(estimate(*FULL), 350)
    assert "is over the limit of 350" in found
    dearest = found.partition("The dearest: ")[2].split("; ")
    assert [line.partition(":")[0] for line in dearest] == ["kafka", "nodes", "cluster"]


def test_exactly_the_limit_is_not_over_it() -> None:
    exact = estimate(*LITE)
    assert prices.refusal(exact, round(exact.monthly, 2)) == ""
    assert prices.refusal(exact, round(exact.monthly, 2) - 0.01) != ""


def test_a_type_that_is_billed_and_not_in_the_table_is_refused_whatever_the_limit() -> None:
    found = estimate(Resource("aws:redshift/cluster:Cluster", "warehouse", {}))
    assert found.unpriced == ("warehouse (aws:redshift/cluster:Cluster)",)
    assert "1 without a price: warehouse" in prices.refusal(found, 1_000_000)


def test_a_machine_that_is_not_in_the_table_is_refused_and_named() -> None:
    found = estimate(instance(instanceType="p5.48xlarge", associatePublicIpAddress=True))
    assert found.lines == ()
    assert found.unpriced == ("box (aws:ec2/instance:Instance with instanceType p5.48xlarge)",)


@pytest.mark.parametrize(
    ("resource", "quantity"),
    [
        (Resource("aws:ec2/vpcEndpoint:VpcEndpoint", "e", {"vpcEndpointType": "Interface", "subnetIds": [1, 2, 3]}), 3),
        (Resource("aws:ebs/volume:Volume", "v", {"size": 100}), 100),
        (Resource("aws:ebs/volume:Volume", "v", {}), 8),
        (Resource("aws:ebs/volume:Volume", "v", {"size": None}), 8),
    ],
)
def test_quantities_come_from_the_inputs_or_are_the_default(resource: Resource, quantity: float) -> None:
    assert [line.quantity for line in estimate(resource).lines] == [quantity]


def test_a_standby_is_billed_like_the_first() -> None:
    inputs = {"instanceClass": "db.t4g.micro", "allocatedStorage": 20}
    one, two = (
        estimate(Resource("aws:rds/instance:Instance", "db", inputs | {"multiAz": many})) for many in (False, True)
    )
    assert round(two.monthly - one.monthly, 2) == 11.68


def test_nodes_of_auto_mode_are_counted_though_they_are_no_resource() -> None:
    auto = estimate(Resource("aws:eks/cluster:Cluster", "c", {"computeConfig": {"enabled": True}}))
    assert [line.item.partition(" ")[0] for line in auto.lines] == ["3", "EKS"]


def test_a_price_is_stale_after_180_days_and_only_where_it_is_used() -> None:
    written = TABLE.sources["ebs"].date
    volume = [Resource("aws:ebs/volume:Volume", "v", {})]
    assert prices.price(volume, TABLE, written + timedelta(days=180)).stale == ()
    assert prices.price(volume, TABLE, written + timedelta(days=181)).stale == (TABLE.sources["ebs"].url,)
    assert prices.price(volume, TABLE, TODAY).unconfirmed == (TABLE.sources["ebs"].url,)


def test_every_price_of_the_table_can_be_reached_by_some_input() -> None:
    for each in TABLE.prices:
        nested: dict[str, Any] = {}
        for path, value in each.match.items():
            first, _, rest = path.partition(".")
            nested[first] = [value] if rest == "0" else {rest: value} if rest else value
        assert each.fits(nested), each


def test_no_type_is_free_and_priced_at_once() -> None:
    assert [each.type for each in TABLE.prices if TABLE.is_free(each.type)] == []


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("usd = 0.045", "usd = -1", "usd"),
        ('unit = "hour"', 'unit = "year"', "unit"),
        ('source = "vpc"', 'source = "hearsay"', "hearsay is not in [sources]"),
        ("region =", "regio =", "regio"),
        ("[sources]", "[sources", "is not a table of prices"),
    ],
)
def test_a_bad_table_is_refused_with_the_key_that_is_wrong(tmp_path: Path, old: str, new: str, named: str) -> None:
    text = prices.FILE.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "prices.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"prices\.toml") as caught:
        prices.load(tmp_path / "prices.toml")
    assert named in str(caught.value)
