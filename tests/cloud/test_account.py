"""L2, on moto: what the doctor is told of an AWS account. Its plan, which moto does not know, is answered by hand."""

from datetime import UTC, datetime
from typing import Any

import pytest

from signalink_core.errors import DependencyUnavailable
from signalink_stacks.cloud import account as gathering
from signalink_stacks.cloud.clients import Clients, translated
from signalink_stacks.doctor import cloud
from signalink_stacks.doctor.host import Account, Host, State
from signalink_stacks.doctor.rule import Verdict


@pytest.fixture
def plan(account: Clients, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The answer to the question for the plan; tests change it."""
    answer: dict[str, Any] = {"accountPlanType": "PAID", "accountPlanStatus": "ACTIVE"}

    class FreeTier:
        def get_account_plan_state(self) -> dict[str, Any]:
            return answer

    asked = Clients.__call__
    monkeypatch.setattr(Clients, "__call__", lambda self, name: FreeTier() if name == "freetier" else asked(self, name))
    return answer


def verdict(found: Account, name: str, tmp: Any) -> Verdict:
    host = Host(target="eks", state=State(tmp), account=found)
    return next(rule for rule in cloud.RULES if rule.name == name).check(host).verdict


def test_an_account_is_gathered_whole_and_judged(plan: dict[str, Any], account: Clients, tmp_path: Any) -> None:
    plan |= {
        "accountPlanType": "FREE",
        "accountPlanRemainingCredits": {"amount": 87.5, "unit": "USD"},
        "accountPlanExpirationDate": datetime(2027, 1, 15, tzinfo=UTC),
    }
    account("budgets").create_budget(
        AccountId="123456789012",
        Budget={
            "BudgetName": "monthly", "BudgetType": "COST", "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": "20", "Unit": "USD"},
        },
    )  # fmt: skip
    found = gathering.gather()
    assert (found.number, found.region) == ("123456789012", "us-east-1")
    assert found.identity.startswith("arn:aws:sts::123456789012:")
    assert found.regions is not None
    assert "us-east-1" in found.regions
    assert found.plan is not None
    assert (found.plan["type"], found.plan["credits"]) == ("FREE", 87.5)
    assert found.plan["ends"].startswith("2027-01-15")
    assert found.budgets == ("monthly",)
    assert found.quotas["VPCs"][1] >= 1
    expected = {
        "aws-identity": "ok",
        "aws-region": "ok",
        "aws-plan": "warn",
        "aws-free-types": "ok",
        "aws-budget": "ok",
    }
    assert {name: verdict(found, name, tmp_path).value for name in expected} == expected


def test_free_types_are_asked_of_ec2_and_not_known_beforehand(account: Clients) -> None:
    found = gathering.free_types(account)
    offered = account("ec2").describe_instance_types(InstanceTypes=sorted(found))["InstanceTypes"]
    assert found
    assert all(each["FreeTierEligible"] for each in offered)


def test_an_account_without_a_budget_is_warned_of(plan: dict[str, Any], tmp_path: Any) -> None:
    found = gathering.gather()
    assert found.budgets == ()
    assert verdict(found, "aws-budget", tmp_path) is Verdict.WARN


def test_a_quota_that_is_used_up_fails(plan: dict[str, Any], account: Clients, tmp_path: Any) -> None:
    limit = int(gathering.quota(account, "VPCs")[0])
    for number in range(limit):
        account("ec2").create_vpc(CidrBlock=f"10.{number}.0.0/16")
    assert verdict(gathering.gather(), "aws-quotas", tmp_path) is Verdict.FAIL


def test_a_question_that_is_refused_leaves_only_its_own_fact_out(
    account: Clients, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    def refused(clients: Clients) -> None:
        raise DependencyUnavailable("AWS refused GetAccountPlanState: AccessDenied.")

    monkeypatch.setattr(gathering, "plan", refused)
    found = gathering.gather()
    assert found.plan is None
    assert found.problems["plan"] == "AWS refused GetAccountPlanState: AccessDenied"
    assert found.number
    assert verdict(found, "aws-plan", tmp_path) is Verdict.WARN


def test_without_credentials_nothing_else_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    found = gathering.gather("us-east-1")
    assert found.number == ""
    assert "no AWS credentials" in found.problems["identity"]
    assert set(found.problems) == {"identity"}
    assert verdict(found, "aws-identity", tmp_path) is Verdict.FAIL


def test_a_refusal_of_aws_is_told_with_the_question_and_the_reason(account: Clients) -> None:
    with (
        pytest.raises(DependencyUnavailable, match=r"AWS refused DescribeVolumes: InvalidVolume\.NotFound"),
        translated(),
    ):
        account("ec2").describe_volumes(VolumeIds=["vol-none"])
