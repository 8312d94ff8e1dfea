"""`python -m signalink_stacks.graph STACK`: the graph of a stack as one JSON document, for who prices or reads it.

Reads stacks/config/Pulumi.STACK.yaml (or `--config FILE`); `--set key=value` lays over it. Exit 1 with every mistake.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml

from signalink_core.errors import ConfigurationError
from signalink_stacks.graph.recording import record
from signalink_stacks.layers import reading
from signalink_stacks.lib import config, images, overrides, words
from signalink_stacks.lib.settings import Config


def main(arguments: list[str] | None = None) -> int:
    """0, or 1 with one text on standard error."""
    options = _parser().parse_args(arguments)
    try:
        raw = configuration(options.stack, options.config, options.settings)
        settings = config.parse(options.stack, raw)
        found = record(options.stack, raw | {"secrets": stand_ins(settings)})
    except (ConfigurationError, pulumi.RunError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    document = {
        "stack": options.stack,
        "target": settings.target,
        "profile": settings.profile,
        "max_usd": settings.max_usd,
        "resources": [{"type": each.type, "name": each.name, "inputs": each.inputs} for each in found.found],
    }
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
    return 0


def configuration(stack: str, path: Path | None, settings: list[str]) -> dict[str, Any]:
    """Keys without their prefix, from the stack's file and what was set on the command line."""
    path = path or images.root() / f"stacks/config/Pulumi.{stack}.yaml"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        known = ", ".join(sorted(each.name.split(".")[1] for each in path.parent.glob("Pulumi.*.yaml")))
        raise ConfigurationError(f"{path}: {error.strerror}.", next_step=f"name a stack: {known}") from error
    raw = reading.raw(document.get("config") or {})
    raw.pop("secrets", None)
    return overrides.laid(raw, settings)


def stand_ins(settings: Config) -> Mapping[str, str]:
    """Names of all secrets with nothing behind them: the graph shows none."""
    names = [name for name in words.wanted(settings, images.root()) if name != words.KEYS]
    return dict.fromkeys([*names, f"{words.KEYS}/0000000000000000.pem"], "none")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m signalink_stacks.graph")
    parser.add_argument("stack")
    parser.add_argument("--config", type=Path, help="the stack's configuration, instead of the one in stacks/config")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
