"""L1: who may take the pipeline's roles: the token of the named job, and of no fork, branch or environment besides."""

import json
import subprocess
import sys
from typing import Any

import pytest

from signalink_core.errors import ConfigurationError
from signalink_stacks.delivery import permissions, trust
from signalink_stacks.delivery.__main__ import main
from signalink_stacks.delivery.permissions import Place

Captured = pytest.CaptureFixture[str]
ACCOUNT, HERE = "123456789012", "acme/signalink"
PROD = f"repo:{HERE}:environment:prod"


def allows(policy: dict[str, Any], **claims: str) -> bool:
    """What IAM does with StringEquals: every key equal, one of a list is enough, a missing claim is not equal."""
    [statement] = policy["Statement"]
    assert set(statement["Condition"]) == {"StringEquals"}
    for key, wanted in statement["Condition"]["StringEquals"].items():
        values = [wanted] if isinstance(wanted, str) else wanted
        if claims.get(key.rpartition(":")[2]) not in values:
            return False
    return True


GOOD = [
    ("push", f"repo:{HERE}:environment:release"),
    ("preview", f"repo:{HERE}:pull_request"),
    ("preview", f"repo:{HERE}:ref:refs/heads/main"),
    ("deploy", PROD),
]
BAD = [
    ("deploy", "repo:mallory/signalink:environment:prod"),
    ("deploy", f"repo:{HERE}:environment:staging"),
    ("deploy", f"repo:{HERE}:environment:prod-2"),
    ("deploy", f"repo:{HERE}:ref:refs/heads/main"),
    ("deploy", f"repo:{HERE}:ref:refs/tags/v1"),
    ("deploy", f"repo:{HERE}:pull_request"),
    ("push", f"repo:{HERE}:ref:refs/heads/main"),
    ("preview", f"repo:{HERE}:ref:refs/heads/other"),
    ("preview", PROD),
    ("preview", "repo:acme/signalink-fork:pull_request"),
]


@pytest.mark.parametrize(("role", "subject"), GOOD)
def test_the_named_job_may_take_its_role(role: trust.Role, subject: str) -> None:
    assert allows(trust.policy(role, HERE, ACCOUNT), sub=subject, aud="sts.amazonaws.com")


@pytest.mark.parametrize(("role", "subject"), BAD)
def test_nobody_else_may(role: trust.Role, subject: str) -> None:
    assert not allows(trust.policy(role, HERE, ACCOUNT), sub=subject, aud="sts.amazonaws.com")


@pytest.mark.parametrize("audience", ["https://github.com/acme", ""])
def test_a_token_for_another_audience_is_refused(audience: str) -> None:
    assert not allows(trust.policy("deploy", HERE, ACCOUNT), sub=PROD, aud=audience)
    assert not allows(trust.policy("deploy", HERE, ACCOUNT), sub=PROD)


@pytest.mark.parametrize("role", list(trust.SUBJECTS))
def test_no_subject_is_a_pattern(role: trust.Role) -> None:
    assert "*" not in json.dumps(trust.policy(role, HERE, ACCOUNT)) + json.dumps(trust.SUBJECTS[role])


@pytest.mark.parametrize("repository", ["acme/*", "acme", "acme/a/b", "*/signalink", "", "acme/sig nalink"])
def test_a_name_that_could_mean_more_is_refused(repository: str) -> None:
    with pytest.raises(ConfigurationError, match="OWNER/NAME"):
        trust.policy("deploy", repository, ACCOUNT)


def test_the_command_prints_the_policy_and_refuses_a_bad_account() -> None:
    words = [sys.executable, "-m", "signalink_stacks.delivery", "trust", "deploy", "--repository", HERE, "--account"]
    done = subprocess.run([*words, ACCOUNT], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == trust.policy("deploy", HERE, ACCOUNT)
    bad = subprocess.run([*words, "12"], capture_output=True, text=True, timeout=60, check=False)
    assert (bad.returncode, "twelve digits" in bad.stderr) == (64, True)


PLACE = ["--account", ACCOUNT, "--region", "us-east-1", "--stack", "eks"]


def test_the_command_prints_what_a_role_may_do_each_policy_by_its_name() -> None:
    words = [sys.executable, "-m", "signalink_stacks.delivery", "permissions", "push", *PLACE]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == permissions.policies("push", Place(ACCOUNT, "us-east-1", "eks"))
    assert list(json.loads(done.stdout)) == ["signalink-push-1"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("--account", "12", "'12' is no account"), ("--region", "us", "'us' is no region"),
     ("--stack", "E*", "'E*' is no stack"), ("--state", "a*", "'a*' is no state"), ("--key", "*", "'*' is no key")],
)  # fmt: skip
def test_a_place_that_could_mean_more_is_refused(key: str, value: str, said: str, capsys: Captured) -> None:
    assert main(["permissions", "deploy", *PLACE, key, value]) == 64
    assert said in capsys.readouterr().err


def test_without_a_bucket_there_is_no_right_on_one() -> None:
    for role in ("preview", "deploy"):
        assert "s3:" not in json.dumps(permissions.policies(role, Place(ACCOUNT, "us-east-1", "eks")))
    mine = json.dumps(permissions.policies("preview", Place(ACCOUNT, "us-east-1", "eks", state="acme-state")))
    assert "s3:GetObject" in mine
    assert "s3:PutObject" not in mine
