"""`python -m signalink_stacks.delivery trust|permissions ROLE ...`: policies of one of the pipeline's roles, as JSON.

`trust` prints who may take the role, `permissions` what it may do: one document with each policy under its name.
"""

import argparse
import json
import sys
from typing import Any

from signalink_core.errors import ConfigurationError
from signalink_stacks.delivery import permissions, trust
from signalink_stacks.delivery.permissions import Place


def main(arguments: list[str] | None = None) -> int:
    """0, or 64 with what is wrong on standard error."""
    options = parser().parse_args(arguments)
    try:
        found = document(options)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 64
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


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
    return made


def document(options: argparse.Namespace) -> dict[str, Any]:
    if options.verb == "trust":
        return trust.policy(options.role, options.repository, options.account)
    place = Place(options.account, options.region, options.stack, options.state, options.key)
    return permissions.policies(options.role, place)


if __name__ == "__main__":
    sys.exit(main())
