"""`python -m signalink_stacks.delivery trust|permissions ROLE ...`: policies of one of the pipeline's roles, as JSON.

`trust` prints who may take the role, `permissions` what it may do: one document with each policy under its name.
`pulumi STACK WORDS ...` runs Pulumi on a stack where it is: made by `signalink up` from this state folder, else the
checkout's. The engine takes this process's place: its exit code is the answer.
`adopt STACK` gives the stack's state the RDS instance that was restored under the name of its own.
"""

import argparse
import json
import os
import sys
from typing import Any

from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_stacks.cloud import database
from signalink_stacks.cloud.clients import Clients
from signalink_stacks.clusters import project
from signalink_stacks.delivery import adoption, permissions, trust
from signalink_stacks.delivery.permissions import Place
from signalink_stacks.lib import images
from signalink_stacks.local.state import StateFolder


def main(arguments: list[str] | None = None) -> int:
    """0, 3 without the engine or the cloud, or 64 with what is wrong on standard error."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["pulumi"] and len(given) > 2:
        return engine(given[1], given[2:])
    made = parser()
    options = made.parse_args(given)
    if options.verb == "pulumi":
        made.error("pulumi takes STACK and what it shall do, as `pulumi eks preview`")
    try:
        said = adopted(options.stack) if options.verb == "adopt" else json.dumps(document(options), indent=2)
    except SignalinkError as error:
        sys.stderr.write(f"{error}\n")
        return 64 if isinstance(error, ConfigurationError) else 3
    sys.stdout.write(f"{said}\n")
    return 0


def adopted(stack: str) -> str:
    found, _ = project.find(stack, StateFolder(), images.root())
    return adoption.adopt(found, lambda known: database.resource_id(Clients(known.region), known.name))


def engine(stack: str, words: list[str]) -> int:
    """Only comes back when Pulumi cannot be started."""
    found, _ = project.find(stack, StateFolder(), images.root())
    os.chdir(found.root)
    command = ["pulumi", *words, "--stack", stack, "--non-interactive"]
    try:
        os.execvpe("pulumi", command, os.environ | dict(found.env))  # noqa: S606 - a word of this program
    except OSError as error:
        sys.stderr.write(
            f"pulumi cannot be run ({error.strerror}). Next: install it, https://www.pulumi.com/docs/install/\n"
        )
    return 3


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m signalink_stacks.delivery")
    verbs = made.add_subparsers(required=True, metavar="VERB", dest="verb")
    who = verbs.add_parser("trust", help="print a role's trust policy")
    who.add_argument("role", choices=sorted(trust.SUBJECTS))
    who.add_argument("--repository", required=True, metavar="OWNER/NAME")
    who.add_argument("--account", required=True, metavar="NUMBER")
    what = verbs.add_parser("permissions", help="print a role's permission policies")
    what.add_argument("role", choices=sorted(trust.SUBJECTS))
    what.add_argument("--account", required=True, metavar="NUMBER")
    what.add_argument("--region", required=True, metavar="REGION")
    what.add_argument("--stack", required=True, metavar="STACK")
    what.add_argument("--state", default="", metavar="BUCKET", help="bucket of the stacks' state")
    what.add_argument("--key", default="", metavar="ID", help="id of the KMS key of the stacks' secrets")
    what.add_argument("--boundary", default="", metavar="ARN", help="every role must have this permissions boundary")
    taken = verbs.add_parser("adopt", help="give a stack's state the RDS instance that was restored")
    taken.add_argument("stack", metavar="STACK")
    verbs.add_parser("pulumi", help="STACK WORDS ...: run Pulumi on a stack where it is")
    return made


def document(options: argparse.Namespace) -> dict[str, Any]:
    if options.verb == "trust":
        return trust.policy(options.role, options.repository, options.account)
    place = Place(options.account, options.region, options.stack, options.state, options.key, options.boundary)
    return permissions.policies(options.role, place)


if __name__ == "__main__":
    sys.exit(main())
