"""`python -m signalink_stacks.delivery trust ROLE ...`: the trust policy of one of the pipeline's roles, as JSON."""

import argparse
import json
import sys

from signalink_core.errors import ConfigurationError
from signalink_stacks.delivery import trust


def main(arguments: list[str] | None = None) -> int:
    """0, or 64 with what is wrong on standard error."""
    parser = argparse.ArgumentParser(prog="python -m signalink_stacks.delivery")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    asked = verbs.add_parser("trust", help="print a role's trust policy")
    asked.add_argument("role", choices=sorted(trust.SUBJECTS))
    asked.add_argument("--repository", required=True, metavar="OWNER/NAME")
    asked.add_argument("--account", required=True, metavar="NUMBER")
    options = parser.parse_args(arguments)
    try:
        found = trust.policy(options.role, options.repository, options.account)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 64
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
