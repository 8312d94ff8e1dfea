"""Owns which job of which repository may take which role at AWS: the trust policies of the pipeline. Pure.

`python -m signalink_stacks.delivery trust ROLE --repository OWNER/NAME --account NUMBER` prints one.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from signalink_core.errors import ConfigurationError

Role = Literal["push", "preview", "deploy"]
ISSUER: Final = "token.actions.githubusercontent.com"
AUDIENCE: Final = "sts.amazonaws.com"
SUBJECTS: Final[Mapping[Role, tuple[str, ...]]] = {
    "push": ("environment:release",),
    "preview": ("pull_request", "ref:refs/heads/main"),
    "deploy": ("environment:prod",),
}
"""What stands behind the repository in the subject of a job's token: exactly these, no pattern.

A pull request of a fork has no token at all: GitHub gives it none. Drift and sweep run on main with the role preview.
"""
REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
ACCOUNT: Final = re.compile(r"\d{12}")


def policy(role: Role, repository: str, account: str) -> dict[str, Any]:
    """The trust policy; ConfigurationError for a name that could mean more than one repository."""
    if not REPOSITORY.fullmatch(repository):
        raise ConfigurationError(
            f"{repository!r} is not OWNER/NAME.", next_step="name one repository, as `--repository acme/signalink`."
        )
    if not ACCOUNT.fullmatch(account):
        raise ConfigurationError(f"{account!r} is no account.", next_step="`--account` takes the twelve digits.")
    subjects = [f"repo:{repository}:{subject}" for subject in SUBJECTS[role]]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::{account}:oidc-provider/{ISSUER}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{ISSUER}:aud": AUDIENCE,
                        f"{ISSUER}:sub": subjects[0] if len(subjects) == 1 else subjects,
                    }
                },
            }
        ],
    }
