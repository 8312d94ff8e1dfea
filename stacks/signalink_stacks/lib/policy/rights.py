"""Rules about whose a thing is and what may be done: P05 tags, P09 actions, P13 providers, P15 secrets. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from signalink_stacks.lib import tags
from signalink_stacks.lib.policy.thing import Facts, Thing
from signalink_stacks.lib.policy.workloads import containers

UNTAGGED: Final = (
    "aws:acm/certificateValidation:*",
    "aws:apigatewayv2/apiMapping:*",
    "aws:apigatewayv2/integration:*",
    "aws:apigatewayv2/route:*",
    "aws:ec2/route:*",
    "aws:ec2/routeTableAssociation:*",
    "aws:ec2/tag:*",
    "aws:ecr/lifecyclePolicy:*",
    "aws:eks/accessPolicyAssociation:*",
    "aws:iam/rolePolicy:*",
    "aws:iam/rolePolicyAttachment:*",
    "aws:kms/alias:*",
    "aws:route53/record:*",
    "aws:scheduler/schedule:*",
    "aws:sns/topicSubscription:*",
)
"""Types that can carry no tag; every other one at AWS must."""
POLICIES: Final = ("aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy", "aws:iam/userPolicy:UserPolicy")
PASSWORDS: Final = {
    "aws:rds/instance:Instance": ("password",),
    "aws:rds/cluster:Cluster": ("masterPassword",),
    "aws:elasticache/replicationGroup:ReplicationGroup": ("authToken",),
    "aws:elasticache/user:User": ("passwords", "authenticationMode.passwords"),
    "aws:iam/accessKey:AccessKey": ("user",),
}
"""Type -> inputs that would be a password; nobody here logs in by one."""
SECRET_NAME: Final = re.compile(
    r"(PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE_?KEY|API_?KEY)(?!.*(_FILE|_DIR|_PATH|_URL)$)", re.IGNORECASE
)
SECRET_TEXT: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b"
    r"|[a-z][a-z0-9+]*://[^\s:/@]+:[^\s:/@$<{]+@"
)
COMPONENTS: Final = ("kubernetes:helm.sh/v4:", "kubernetes:yaml/v2:")
"""Types that only hold others, each of which names its provider."""
KEEPER: Final = "kubernetes:core/v1:Secret"
"""The one place for secrets in a cluster; Pulumi keeps its data as a secret."""


def tagged(thing: Thing, facts: Facts) -> Iterator[str]:
    """P05: who pays, for what, until when, stands on everything that AWS lets carry a tag."""
    if not facts.tags_needed or not thing.type.startswith("aws:"):
        return
    if any(fnmatchcase(thing.type, pattern) for pattern in UNTAGGED):
        return
    found = {**(thing.props.get("tagsAll") or {}), **(thing.props.get("tags") or {})}
    missing = [key for key in tags.REQUIRED if not found.get(key)]
    if missing:
        yield f"has no tag {', '.join(missing)}. Fix: pass the stack's tags (lib.tags)"


def exact_actions(thing: Thing, facts: Facts) -> Iterator[str]:
    """P09: no role may do everything to everything."""
    if thing.type not in POLICIES and thing.type != "aws:iam/role:Role":
        return
    texts = [thing.props.get("policy"), *(each.get("policy") for each in thing.every("inlinePolicies"))]
    for text in texts:
        for statement in statements(text):
            actions, resources = _list(statement.get("Action")), _list(statement.get("Resource"))
            wide = [action for action in actions if action == "*" or action.endswith(":*")]
            if statement.get("Effect") == "Allow" and wide and "*" in resources:
                yield f"allows {', '.join(wide)} on every resource. Fix: name the actions, or the resources"
    if str(thing.props.get("policyArn") or "").endswith("/AdministratorAccess"):
        yield "gives every right there is. Fix: name the actions"


def statements(text: Any) -> list[Mapping[str, Any]]:
    """Of a policy's text; empty while it is not known."""
    try:
        document = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return []
    found = document.get("Statement", []) if isinstance(document, dict) else []
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value or []]


def explicit_provider(thing: Thing, facts: Facts) -> Iterator[str]:
    """P13: no resource goes where the shell of whoever runs this happens to point."""
    somewhere = thing.type.partition(":")[0] in ("aws", "kubernetes") and not thing.type.startswith(COMPONENTS)
    if somewhere and (not thing.provider or thing.provider.startswith("default")):
        yield "has no provider of its own, so it goes wherever the shell points. Fix: pass the stack's provider"


def no_clear_secret(thing: Thing, facts: Facts) -> Iterator[str]:
    """P15: a secret is AWS's to keep, or in a Secret; never a password input, an environment value or a text."""
    for path in PASSWORDS.get(thing.type, ()):
        if thing.at(path):
            yield f"takes a password in {path}. Fix: IAM, or a password that AWS manages"
    for container in containers(thing):
        for variable in container.get("env") or []:
            if variable.get("value") and SECRET_NAME.search(str(variable.get("name"))):
                yield f"{container.get('name')} gets {variable['name']} in clear. Fix: a file of a Secret"
    if thing.type != KEEPER:
        for path, text in _texts(thing.props, ""):
            if SECRET_TEXT.search(text):
                yield f"has a secret in clear in {path}. Fix: put it into a Secret, and name its file"


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield from _texts(each, f"{path}.{place}")
