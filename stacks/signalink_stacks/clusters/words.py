"""`python -m signalink_stacks.clusters.words STACK`: make the secrets that a stack lacks, once, into its configuration.

Values go to `pulumi config set --secret` by standard input: they stand on no command line and in no file in clear.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from signalink_core.errors import ConfigurationError, DependencyUnavailable, SignalinkError
from signalink_stacks.lib import config, images, overrides, words
from signalink_stacks.lib.reading import Fault

KEY: Final = "signalink:secrets"
PREFIX: Final = "signalink:"
PATIENCE: Final = 60.0
BYTES: Final = 32


def made(lacking: list[str]) -> dict[str, str]:
    """A new value for each name; `auth-keys` becomes one signing key."""
    found = {name: secrets.token_urlsafe(BYTES) for name in lacking if name != words.KEYS}
    if words.KEYS in lacking:
        from signalink_core.auth.keys import KeyRing

        with tempfile.TemporaryDirectory() as folder:
            KeyRing.generate(Path(folder))
            pem = next(Path(folder).glob("*.pem"))
            found[f"{words.KEYS}/{pem.name}"] = pem.read_text(encoding="utf-8")
    return found


def complete(
    stack: str,
    root: Path,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    settings: Sequence[str] = (),
) -> list[str]:
    """Make what `stack` lacks; the names. `folder`: where Pulumi.yaml is, if not in `root`; `env`: for the engine.

    ConfigurationError when the stack's configuration, with `settings` over it, is wrong otherwise.
    """
    place = partial(_pulumi, folder or root, env or {})
    everything = json.loads(place("config", "--json", "--show-secrets", "-s", stack) or "{}")
    raw = {key.removeprefix(PREFIX): _value(entry) for key, entry in everything.items() if key.startswith(PREFIX)}
    found, faults = config.read(stack, overrides.laid(raw, settings))
    if faults:
        raise config.refusal(stack, faults)
    if raw.get("secrets") and not everything[KEY].get("secret"):
        in_clear = Fault(
            "secrets", "values in clear", "values that Pulumi encrypts", f"`pulumi config rm -s {stack} secrets`"
        )
        raise config.refusal(stack, [in_clear])
    lacking = words.missing(found, root)
    if lacking:
        whole = {**raw.get("secrets", {}), **made(lacking)}
        place("config", "set", "-s", stack, "--secret", KEY, given=json.dumps(whole))
    return lacking


def _value(entry: Mapping[str, Any]) -> Any:
    if "objectValue" in entry:
        return entry["objectValue"]
    text = entry.get("value", "")
    return json.loads(text) if isinstance(text, str) and text.startswith(("{", "[")) else text


def _pulumi(folder: Path, env: Mapping[str, str], *arguments: str, given: str = "") -> str:
    """What pulumi prints. An error names the command, never what was given to it."""
    command = ["pulumi", "--non-interactive", *arguments]
    try:
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=folder,
            env=os.environ | dict(env),
            check=False,
        )
    except FileNotFoundError as error:
        raise DependencyUnavailable("pulumi is not on PATH.", next_step="install Pulumi 3.259 or later.") from error
    except subprocess.TimeoutExpired as error:
        raise DependencyUnavailable(f"`{' '.join(command)}` took longer than {PATIENCE:.0f} s.") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ConfigurationError(f"`{' '.join(command)}` failed: {last[0]}", next_step="correct that and try again.")
    return done.stdout


def main(arguments: list[str] | None = None) -> int:
    """0 done, 1 failed with one text that says why."""
    parser = argparse.ArgumentParser(prog="python -m signalink_stacks.clusters.words")
    parser.add_argument("stack")
    parser.add_argument("--folder", type=Path, help="where Pulumi.yaml is, if not in the checkout")
    options = parser.parse_args(arguments)
    try:
        names = complete(options.stack, images.root(), options.folder)
    except SignalinkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{len(names)} secrets made: {', '.join(names)}\n" if names else "all secrets are there\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
