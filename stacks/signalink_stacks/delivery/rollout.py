"""Owns one deployment of a stack: preview, up, promises, and the way back to the images of the last good one.

Doctor and cost come first, from whoever calls. What runs is the engine on PATH; `Engine` is all that is known of it.
"""

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from signalink_core.errors import DependencyUnavailable, SignalinkError
from signalink_stacks.lib import told

IMAGES: Final = "signalink:images"
POLICIES: Final = Path("stacks/policy")
PATIENCE: Final = 3 * 3600.0
"""Of one call: a certificate may wait for `told.CERTIFICATE_MINUTES`, a cluster and its engines for an hour."""
GRACE: Final = 60.0
"""For an engine that was interrupted to write down what it has made; only then it is killed."""
ENDS: Final = (signal.SIGTERM, signal.SIGHUP)
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

    def __call__(self, *words: str, say: Say | None = None, patience: float = PATIENCE) -> str:
        """What it printed. DependencyUnavailable with its last lines when it fails.

        `say` is told at once what somebody must do for it to go on (`lib.told`).
        """
        command = ["pulumi", *words, "--stack", self.stack, "--non-interactive"]
        with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
            try:
                process = subprocess.Popen(
                    command,
                    cwd=self.root,
                    env=os.environ | dict(self.env),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    # Out of the terminal's reach: a second SIGINT ends an engine at once, so it must get one alone.
                    process_group=0,
                )
            except FileNotFoundError as error:
                raise DependencyUnavailable(
                    "pulumi is not on PATH.", next_step="https://www.pulumi.com/docs/install/"
                ) from error
            with process, heard(), ending(process, patience) as late:
                printed = followed(process.stdout or (), say)
            if late.is_set():
                raise DependencyUnavailable(
                    f"pulumi {words[0]} took longer than {patience:.0f} s.", next_step="run it again: it goes on."
                )
            if process.returncode:
                errors.seek(0)
                raise DependencyUnavailable(
                    f"pulumi {words[0]} failed (exit {process.returncode}):\n{telling(printed + errors.read())}"
                )
        return printed

    def checked(self, *words: str, say: Say | None = None) -> str:
        """The same with the policy pack, which may refuse."""
        pack = ["--policy-pack", str(POLICIES)] if (self.root / POLICIES).is_dir() else []
        return self(*words, *pack, say=say)


def followed(lines: Iterable[str], say: Say | None) -> str:
    """All that was printed; each thing that somebody is to do is said once, when it comes."""
    printed, said = [], set()
    for line in lines:
        printed.append(line)
        asked = told.found(line)
        if say and asked and asked not in said:
            said.add(asked)
            say(asked)
    return "".join(printed)


@contextmanager
def ending(process: "subprocess.Popen[str]", patience: float) -> Iterator[threading.Event]:
    """Interrupts a process after so long, so that the engine writes down what it made; then kills it.

    The event is set where that was needed. A process is not left behind when this program is interrupted: it is asked
    to end in the same way.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()

    timer = threading.Timer(patience, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
        process.wait(patience + 2 * GRACE)
    except BaseException:
        interrupt(process)
        raise
    finally:
        timer.cancel()


@contextmanager
def heard() -> Iterator[None]:
    """What else ends a program interrupts it, as Ctrl-C does: an engine in its own group hears of it from us alone.

    A signal that somebody handles or ignores (`nohup`) is left to them; threads beside the main one hear none.
    """
    mine = threading.current_thread() is threading.main_thread()
    ends = [each for each in ENDS if mine and signal.getsignal(each) is signal.SIG_DFL]
    for each in ends:
        signal.signal(each, signal.default_int_handler)
    try:
        yield
    finally:
        for each in ends:
            signal.signal(each, signal.SIG_DFL)


def interrupt(process: "subprocess.Popen[str]") -> None:
    """Asks a process to end and waits while it writes down what it made; a second Ctrl-C kills it, as time does."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=GRACE)  # read on: a full pipe would hold it up
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()


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
    present = said(engine)
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
        engine.checked("up", "--yes", "--skip-preview", say=say)
        outputs: Mapping[str, Any] = json.loads(engine("stack", "output", "--json") or "{}")
        wrong = promise(outputs)
    except SignalinkError as error:
        raise went_back(engine, last, error.detail, say) if back else stopped(error.detail) from error
    if wrong:
        raise went_back(engine, last, wrong, say) if back else stopped(wrong)
    return outputs


def said(engine: Engine) -> str | None:
    """The stack's key `images` as its file has it."""
    found = json.loads(engine("config", "--json") or "{}").get(IMAGES, {}).get("value")
    return None if found is None else str(found)


def laid(engine: Engine, images: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The stack's key `images` with these in it: what else it says of images (architecture, mirrors) stays."""
    return None if images is None else {**json.loads(said(engine) or "{}"), **images}


def stopped(why: str) -> DependencyUnavailable:
    """For who looks after it by hand."""
    return DependencyUnavailable(
        f"It is not as it should be: {why}", next_step="look (`kubectl get pods`), mend it, run the same command again."
    )


def last_good(history: Sequence[Mapping[str, Any]]) -> str | None:
    """The images of the newest update that succeeded with some; None when there was none. The newest comes first.

    One without is the registry's own (`repositories`), by which nothing runs.
    """
    for each in history:
        if each.get("kind") == "update" and each.get("result") == "succeeded":
            found = each.get("config", {}).get(IMAGES, {}).get("value")
            if found is not None:
                return str(found)
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
