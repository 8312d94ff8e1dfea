"""`python -m signalink_stacks.delivery`: `trust ROLE ...` prints the trust policy of one of the pipeline's roles.

`pulumi STACK WORDS ...` runs Pulumi on a stack where it is: made by `signalink up` from this state folder, else the
checkout's. The engine takes this process's place: its exit code is the answer.
"""

import argparse
import json
import os
import sys

from signalink_core.errors import ConfigurationError
from signalink_stacks.clusters import project
from signalink_stacks.delivery import trust
from signalink_stacks.lib import images
from signalink_stacks.local.state import StateFolder


def main(arguments: list[str] | None = None) -> int:
    """0, 3 without the engine, or 64 with what is wrong on standard error."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["pulumi"] and len(given) > 2:
        return engine(given[1], given[2:])
    parser = argparse.ArgumentParser(prog="python -m signalink_stacks.delivery")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    asked = verbs.add_parser("trust", help="print a role's trust policy")
    asked.add_argument("role", choices=sorted(trust.SUBJECTS))
    asked.add_argument("--repository", required=True, metavar="OWNER/NAME")
    asked.add_argument("--account", required=True, metavar="NUMBER")
    verbs.add_parser("pulumi", help="STACK WORDS ...: run Pulumi on a stack where it is")
    options = parser.parse_args(given)
    if not hasattr(options, "role"):
        parser.error("pulumi takes STACK and what it shall do, as `pulumi eks preview`")
    try:
        found = trust.policy(options.role, options.repository, options.account)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 64
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
