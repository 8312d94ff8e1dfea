"""`python -m signalink_stacks.clusters.words STACK`: make the secrets that a stack lacks, once, into its configuration.

What a file lacks, as in the checkout of a pipeline, is taken from the last deployment where that had it: another value
would lock out what runs. An empty table asks for new ones. Values go to `pulumi config set --secret` by standard input:
they stand on no command line and in no file in clear.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
SHOWN: Final = ("--show-secrets", "--page-size", "10", "--page", "1")
"""The newest updates with what they were told, decrypted."""


@dataclass(frozen=True, slots=True)
class Completed:
    """Names of secrets that the stack's file lacked."""

    made: Sequence[str] = ()
    taken: Sequence[str] = ()
    """Those that the last deployment had."""

    @property
    def told(self) -> list[str]:
        """What was done, a line each."""
        taken = [f"took {len(self.taken)} secrets of the last deployment"] if self.taken else []
        return taken + ([f"made {len(self.made)} secrets"] if self.made else [])


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
) -> Completed:
    """Make what `stack` lacks. `folder`: where Pulumi.yaml is, if not in `root`; `env`: for the engine.

    ConfigurationError when the stack's configuration, with `settings` over it, is wrong otherwise, or when what the
    last deployment had cannot be read.
    """
    place = partial(_pulumi, folder or root, env or {})
    everything = json.loads(place("config", "--json", "--show-secrets", "-s", stack) or "{}")
    raw = {key.removeprefix(PREFIX): _value(entry) for key, entry in everything.items() if key.startswith(PREFIX)}
    found, faults = config.read(stack, overrides.laid(raw, settings))
    if faults:
        raise config.refusal(stack, faults)
    if raw.get("secrets") and not everything[KEY].get("secret"):
        fix = f"`pulumi config set -s {stack} --secret {KEY} '{{}}'` asks for new ones"
        raise config.refusal(stack, [Fault("secrets", "values in clear", "values that Pulumi encrypts", fix)])
    lacking = words.missing(found, root)
    if not lacking:
        return Completed()
    emptied = KEY in everything and not raw["secrets"]
    before = {} if emptied else deployed(stack, place)
    taken = {words.stands_for(name) for name in before}.intersection(lacking)
    kept = {name: value for name, value in before.items() if words.stands_for(name) in taken}
    new = [name for name in lacking if name not in taken]
    place(
        "config", "set", "-s", stack, "--secret", KEY, given=json.dumps({**raw.get("secrets", {}), **kept, **made(new)})
    )
    return Completed(new, sorted(taken))


def deployed(stack: str, place: Callable[..., str]) -> Mapping[str, str]:
    """The secrets of the newest update; none where there was no update, or a destroy was the last that succeeded."""
    newest: Iterable[Mapping[str, Any]] = json.loads(place("stack", "history", "-s", stack, "--json", *SHOWN) or "[]")
    for each in newest:
        if each.get("kind") == "destroy" and each.get("result") == "succeeded":
            return {}
        if entry := each.get("config", {}).get(KEY):
            try:
                return dict(entry.get("objectValue") or json.loads(entry["value"]))
            except ValueError as error:  # what Pulumi cannot decrypt is no JSON
                raise ConfigurationError(
                    f"The file of stack {stack} has neither the secrets of its last deployment nor the key they are "
                    "encrypted with, and new ones would lock out what runs.",
                    next_step=f"`pulumi config refresh --stack {stack}` writes the file again; then commit it.",
                ) from error
    return {}


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
        found = complete(options.stack, images.root(), options.folder)
    except SignalinkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("\n".join(found.told or ["all secrets are there"]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
