"""L2, on moto: the sweep finds each planted leftover of its stack, touches none of another, says what it could not."""

import json
from datetime import date
from typing import Any

import pytest

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_labs.cli import app
from signalink_stacks.cloud import sweep
from signalink_stacks.cloud.clients import Clients
from signalink_stacks.cloud.kinds import KINDS

Captured = pytest.CaptureFixture[str]
STACK, OTHER = "signalink.dev/stack", "elsewhere"


def ec2_tags(kind: str, stack: str, **more: str) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in ({STACK: stack} | more).items()]
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]}


def plant(clients: Clients, stack: str) -> dict[str, str]:
    """One leftover of each kind that can be deleted: kind to id."""
    ec2, elb = clients("ec2"), clients("elbv2")
    pairs = [{"Key": STACK, "Value": stack}]
    network = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    [table] = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network]}])["RouteTables"]
    subnets = [
        ec2.create_subnet(VpcId=network, CidrBlock=f"10.9.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]
        for n, zone in enumerate("ab")
    ]
    ids = [each["SubnetId"] for each in subnets]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, **ec2_tags("volume", stack))["VolumeId"]
    group = ec2.create_security_group(
        GroupName=f"{stack}-left", Description="left", VpcId=network, **ec2_tags("security-group", stack)
    )
    machine = ec2.run_instances(
        ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=ids[0], **ec2_tags("instance", stack)
    )
    clients("logs").create_log_group(logGroupName=f"/{stack}/api", tags={STACK: stack})
    clients("ecr").create_repository(repositoryName=f"{stack}/api", tags=pairs)
    return {
        "load balancer": elb.create_load_balancer(Name=stack, Subnets=ids, Tags=pairs)["LoadBalancers"][0][
            "LoadBalancerArn"
        ],
        "target group": elb.create_target_group(Name=stack, Protocol="HTTP", Port=80, VpcId=network, Tags=pairs)[
            "TargetGroups"
        ][0]["TargetGroupArn"],
        "instance": machine["Instances"][0]["InstanceId"],
        "NAT gateway": ec2.create_nat_gateway(SubnetId=ids[0], AllocationId=address, **ec2_tags("natgateway", stack))[
            "NatGateway"
        ]["NatGatewayId"],
        "VPC endpoint": ec2.create_vpc_endpoint(
            VpcId=network,
            ServiceName="com.amazonaws.us-east-1.s3",
            VpcEndpointType="Gateway",
            RouteTableIds=[table["RouteTableId"]],
            **ec2_tags("vpc-endpoint", stack),
        )["VpcEndpoint"]["VpcEndpointId"],
        "address": ec2.allocate_address(Domain="vpc", **ec2_tags("elastic-ip", stack))["AllocationId"],
        "network interface": ec2.create_network_interface(SubnetId=ids[1], **ec2_tags("network-interface", stack))[
            "NetworkInterface"
        ]["NetworkInterfaceId"],
        "volume": volume,
        "snapshot": ec2.create_snapshot(VolumeId=volume, **ec2_tags("snapshot", stack))["SnapshotId"],
        "log group": f"/{stack}/api",
        "repository": f"{stack}/api",
        "security group": group["GroupId"],
    }


def found(clients: Clients, stack: str) -> dict[str, str]:
    return {each.name: each.identity for each in sweep.find(clients, stack)}


def test_every_planted_kind_is_found_and_none_of_another_stack(account: Clients) -> None:
    planted, others = plant(account, "eks"), plant(account, OTHER)
    assert set(planted) == {kind.name for kind in KINDS}
    assert found(account, "eks") == planted
    assert found(account, OTHER) == others
    assert found(account, "ek") == {}


def test_delete_leaves_nothing_of_the_stack_and_everything_of_the_other(account: Clients) -> None:
    plant(account, "eks")
    others = plant(account, OTHER)
    outcomes = sweep.delete(account, sweep.find(account, "eks"))
    assert [f"{each.leftover.name}: {each.problem}" for each in outcomes if each.problem] == []
    assert found(account, "eks") == {}
    assert found(account, OTHER) == others


def test_a_resource_whose_tag_only_begins_alike_is_left_alone(account: Clients) -> None:
    near = account("ec2").create_volume(AvailabilityZone="us-east-1a", Size=1, **ec2_tags("volume", "eks-2"))
    assert app.run(["sweep", "-s", "eks", "--delete", "--yes"]) == 0
    assert account("ec2").describe_volumes(VolumeIds=[near["VolumeId"]])["Volumes"]


def test_what_aws_refuses_is_said_with_its_reason_and_the_rest_goes(account: Clients, capsys: Captured) -> None:
    ec2 = account("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, **ec2_tags("volume", "eks"))["VolumeId"]
    machine = ec2.run_instances(
        ImageId="ami-12c6146b", MinCount=1, MaxCount=1, Placement={"AvailabilityZone": "us-east-1a"}
    )["Instances"][0]["InstanceId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=machine, Device="/dev/sdh")
    account("logs").create_log_group(logGroupName="/eks/api", tags={STACK: "eks"})
    assert app.run(["sweep", "-s", "eks", "--delete", "--yes"]) == 1
    printed = capsys.readouterr().out
    assert f"not deleted: volume {volume}: VolumeInUse" in printed
    assert "sweep of eks in us-east-1: 1 deleted, 1 left; run it again" in printed.splitlines()[-1]
    assert found(account, "eks") == {"volume": volume}


def test_a_data_store_is_named_and_never_deleted(account: Clients, capsys: Captured) -> None:
    account("rds").create_db_instance(
        DBInstanceIdentifier="chat", DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20,
        MasterUsername="chief", ManageMasterUserPassword=True, Tags=[{"Key": STACK, "Value": "eks"}],
    )  # fmt: skip
    assert app.run(["sweep", "-s", "eks", "--delete", "--yes"]) == 1
    assert "not deleted: rds arn:aws:rds:us-east-1:123456789012:db:chat: is not deleted by a sweep" in (
        capsys.readouterr().out
    )
    assert len(account("rds").describe_db_instances()["DBInstances"]) == 1


def test_a_key_that_aws_deletes_and_a_last_snapshot_are_kept_and_no_leftovers(
    account: Clients, capsys: Captured
) -> None:
    pairs = [{"TagKey": STACK, "TagValue": "eks"}]
    key = account("kms").create_key(Tags=pairs)["KeyMetadata"]["KeyId"]
    account("rds").create_db_instance(
        DBInstanceIdentifier="chat", DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20,
        MasterUsername="chief", ManageMasterUserPassword=True,
    )  # fmt: skip
    account("rds").create_db_snapshot(
        DBInstanceIdentifier="chat", DBSnapshotIdentifier="chat-last", Tags=[{"Key": STACK, "Value": "eks"}]
    )
    assert app.run(["sweep", "-s", "eks"]) == 1, "a key that nobody deletes is left"
    assert "sweep of eks in us-east-1: 1 left, 1 kept; --delete" in capsys.readouterr().out
    day = account("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["DeletionDate"]
    for words in ([], ["--delete", "--yes"]):
        assert app.run(["sweep", "-s", "eks", *words]) == 0
        printed = capsys.readouterr().out
        assert f":key/{key} (kept: AWS deletes it on {day:%Y-%m-%d})" in printed
        assert ":snapshot:chat-last (kept: a backup: it holds data" in printed
        assert printed.splitlines()[-1].endswith("0 left, 2 kept")
    assert app.run(["sweep", "-s", "eks", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["left"], document["kept"]) == (0, 2)
    assert account("rds").describe_db_snapshots()["DBSnapshots"]


def test_a_key_that_is_gone_already_is_no_leftover(account: Clients) -> None:
    gone = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000"
    assert sweep.kept(account, gone).startswith("AWS has deleted it")


def test_listing_deletes_nothing_and_says_so_by_its_exit_code(account: Clients, capsys: Captured) -> None:
    planted = plant(account, "eks")
    assert app.run(["sweep", "-s", "eks", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["left"] == len(planted)
    assert {each["id"] for each in document["stacks"]["eks"]} == set(planted.values())
    assert not any(each["deleted"] for each in document["stacks"]["eks"])
    assert found(account, "eks") == planted


def test_it_asks_before_it_deletes_and_no_means_no(account: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = plant(account, "eks")
    asked: list[str] = []

    def refuse(question: str, *, abort: bool) -> None:
        asked.append(question)
        raise KeyboardInterrupt

    monkeypatch.setattr("typer.confirm", refuse)
    assert app.run(["sweep", "-s", "eks", "--delete"]) == 130
    assert asked == [f"Delete these {len(planted)} for ever?"]
    assert found(account, "eks") == planted


def test_expired_stacks_are_found_by_their_tag_and_only_those(account: Clients) -> None:
    days = {"old": "2026-01-01", "today": "2026-06-01", "young": "2026-12-31", "kept": "never", "odd": "soon"}
    for stack, day in days.items():
        account("ec2").create_volume(
            AvailabilityZone="us-east-1a", Size=1, **ec2_tags("volume", stack, **{"signalink.dev/expires": day})
        )
    assert sweep.expired(account, date(2026, 6, 1)) == ["old"]


def test_the_nightly_sweep_names_each_expired_stack(account: Clients, capsys: Captured) -> None:
    assert app.run(["sweep", "--expired"]) == 0
    assert "no stack has expired in us-east-1: 0 left" in capsys.readouterr().out
    account("ec2").create_volume(
        AvailabilityZone="us-east-1a", Size=1, **ec2_tags("volume", "old", **{"signalink.dev/expires": "2001-01-01"})
    )
    assert app.run(["sweep", "--expired"]) == 1
    assert "sweep of old in us-east-1: 1 left; --delete deletes them" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["-s", "eks", "--expired"]])
def test_one_of_stack_and_expired_is_needed(words: list[str], capsys: Captured) -> None:
    assert app.run(["sweep", *words]) == 64
    assert "Say which stack, or --expired" in capsys.readouterr().err


def test_without_region_or_credentials_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConfigurationError, match="--region"):
        Clients()
    with pytest.raises(ConfigurationError, match="no AWS credentials"):
        sweep.find(Clients("us-east-1"), "eks")


def test_a_cloud_that_does_not_answer_is_said(account: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(DependencyUnavailable, match="AWS does not answer"):
        sweep.find(Clients(), "eks")


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:ec2:us-east-1:1:volume/vol-1", "volume"),
        ("arn:aws:logs:us-east-1:1:log-group:/a/b", "log group"),
        ("arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/a/1", "load balancer"),
        ("arn:aws:rds:us-east-1:1:db:chat", None),
        ("arn:aws:ec2:us-east-1:1:vpc/vpc-1", None),
        ("arn:aws:iam::1:role/x", None),
    ],
)
def test_an_arn_names_its_kind(arn: str, name: str | None) -> None:
    kind = sweep.kind_of(arn)
    assert (kind.name if kind else None) == name
