"""Owns one deployment of a stack: preview, up, promises, and the way back to the images of the last good one.

Doctor and cost come first, from whoever calls. What runs is the engine on PATH; `Engine` is all that is known of it.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from signalink_core.errors import DependencyUnavailable, SignalinkError

IMAGES: Final = "signalink:images"
POLICIES: Final = Path("stacks/policy")
PATIENCE: Final = 3600.0
LINES: Final = 30
MOST: Final = 60
HEADING: Final = re.compile(r"[A-Z][a-z]+:")
WHY: Final = ("Policies:", "Diagnostics:")
"""Sections of what the engine prints that say why."""
Say = Callable[[str], None]
Promise = Callable[[Mapping[str, Any]], str]
"""Looks at the stack's outputs; says what is wrong, nothing when all is well."""


class WentBack(SignalinkError):
    """A deployment failed; the text says whether the last good images run again."""

    code = "went_back"
    status = 409


@dataclass(frozen=True, slots=True)
class Engine:
    """`pulumi` for one stack, run where its Pulumi.yaml is: the checkout, or a folder of `clusters.project`.

    `env`: what it is told beside the environment.
    """

    stack: str
    root: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *words: str) -> str:
        """What it printed. DependencyUnavailable with its last lines when it fails."""
        command = ["pulumi", *words, "--stack", self.stack, "--non-interactive"]
        try:
            done = subprocess.run(
                command,
                cwd=self.root,
                env=os.environ | dict(self.env),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        except FileNotFoundError as error:
            raise DependencyUnavailable(
                "pulumi is not on PATH.", next_step="https://www.pulumi.com/docs/install/"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise DependencyUnavailable(f"pulumi {words[0]} took longer than {PATIENCE:.0f} s.") from error
        if done.returncode:
            raise DependencyUnavailable(
                f"pulumi {words[0]} failed (exit {done.returncode}):\n{telling(done.stdout + done.stderr)}"
            )
        return done.stdout

    def checked(self, *words: str) -> str:
        """The same with the policy pack, which may refuse."""
        pack = ["--policy-pack", str(POLICIES)] if (self.root / POLICIES).is_dir() else []
        return self(*words, *pack)


def telling(text: str) -> str:
    """Of what the engine printed, that which says why it failed: refusals and errors, else its last lines."""
    found, taken = [], False
    for line in text.strip().splitlines():
        if HEADING.fullmatch(line):
            taken = line in WHY
        if taken and line.strip():
            found.append(line)
    return "\n".join(found[:MOST] if found else text.strip().splitlines()[-LINES:])


def deploy(
    engine: Engine, images: Mapping[str, Any] | None, promise: Promise, say: Say, *, back: bool = True
) -> Mapping[str, Any]:
    """The outputs of the new state. WentBack when it does not keep its promises; a refusal changes nothing.

    `images`: what the stack's key `images` shall be; None leaves it. Without `back` a failure is left as it is, for
    somebody who is there to look.
    """
    last = last_good(json.loads(engine("stack", "history", "--json") or "[]"))
    present = json.loads(engine("config", "--json") or "{}").get(IMAGES, {}).get("value")
    if images is not None:
        engine("config", "set", IMAGES, json.dumps(images))
    try:
        say("preview")
        engine.checked("preview")
    except SignalinkError:
        if images is not None:
            restore(engine, present)
        raise
    try:
        say("up")
        engine.checked("up", "--yes", "--skip-preview")
        outputs: Mapping[str, Any] = json.loads(engine("stack", "output", "--json") or "{}")
        wrong = promise(outputs)
    except SignalinkError as error:
        raise went_back(engine, last, error.detail, say) if back else stopped(error.detail) from error
    if wrong:
        raise went_back(engine, last, wrong, say) if back else stopped(wrong)
    return outputs


def stopped(why: str) -> DependencyUnavailable:
    """For who looks after it by hand."""
    return DependencyUnavailable(
        f"It is not as it should be: {why}", next_step="look (`kubectl get pods`), mend it, run the same command again."
    )


def last_good(history: Sequence[Mapping[str, Any]]) -> str | None:
    """The images of the newest update that succeeded; None when there was none. The newest comes first."""
    for each in history:
        if each.get("kind") == "update" and each.get("result") == "succeeded":
            found = each.get("config", {}).get(IMAGES, {}).get("value")
            return None if found is None else str(found)
    return None


def went_back(engine: Engine, last: str | None, why: str, say: Say) -> WentBack:
    """Put the last good images back and say how that went."""
    if last is None:
        return WentBack(
            f"The deployment failed: {why} There is no earlier one to go back to.",
            next_step="mend it and deploy again; `pulumi stack history` shows what was done.",
        )
    say("back to the last good images")
    try:
        restore(engine, last)
        engine.checked("up", "--yes", "--skip-preview")
    except SignalinkError as error:
        return WentBack(
            f"The deployment failed: {why} Going back failed too: {error.detail}",
            next_step="`pulumi up` by hand, with the images that `pulumi stack history` shows.",
        )
    return WentBack(
        f"The deployment failed: {why} The last good images run again.", next_step="mend it and deploy again."
    )


def restore(engine: Engine, images: str | None) -> None:
    if images is None:
        engine("config", "rm", IMAGES)
    else:
        engine("config", "set", IMAGES, images)
