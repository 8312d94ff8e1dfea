"""Owns publishing our images: tag, push, ask for the digest, take the list of contents out, sign both by digest.

Docker pushes, `containers.pin` asks the registry, cosign signs without a key: the job's own identity is the signer.
"""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signalink_core.errors import DependencyUnavailable
from signalink_stacks.containers.pin import Ask
from signalink_stacks.lib.images import Image

CONTENTS: Final = "/usr/share/sbom/signalink-{name}.cdx.json"
SECONDS: Final = 600.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """Where to: `registry` is a host with an optional path; `signed` off is for a registry that nobody else reads."""

    registry: str
    tag: str
    folder: Path
    signed: bool = True


def publish(wanted: Sequence[Image], wish: Wish, ask: Ask, say: Say) -> dict[str, str]:
    """Repository -> digest, as charts and stacks want it. DependencyUnavailable when a step fails."""
    wish.folder.mkdir(parents=True, exist_ok=True)
    digests = {}
    for image in wanted:
        say(f"publishing {image.repository}:{wish.tag}")
        for words in pushing(image, wish):
            run(words)
        digest = ask(f"{wish.registry}/{image.repository}:{wish.tag}")
        for words in contents(image, wish):
            run(words)
        for words in signing(image, wish, digest) if wish.signed else []:
            run(words)
        digests[image.repository] = digest
    return digests


def pushing(image: Image, wish: Wish) -> list[list[str]]:
    there = f"{wish.registry}/{image.repository}:{wish.tag}"
    return [["docker", "tag", f"{image.repository}:{wish.tag}", there], ["docker", "push", "--quiet", there]]


def contents(image: Image, wish: Wish) -> list[list[str]]:
    """The list of contents that the build put into the image, copied out of a container that never runs."""
    name = f"signalink-contents-{image.name}"
    inside = CONTENTS.format(name=image.name)
    return [
        ["docker", "create", "--name", name, f"{image.repository}:{wish.tag}"],
        ["docker", "cp", f"{name}:{inside}", str(listed(image, wish))],
        ["docker", "rm", name],
    ]


def signing(image: Image, wish: Wish, digest: str) -> list[list[str]]:
    """By digest: a tag could mean another image tomorrow."""
    there = f"{wish.registry}/{image.repository}@{digest}"
    return [
        ["cosign", "sign", "--yes", there],
        ["cosign", "attest", "--yes", "--type", "cyclonedx", "--predicate", str(listed(image, wish)), there],
    ]


def listed(image: Image, wish: Wish) -> Path:
    return wish.folder / f"{image.name}.cdx.json"


def run(words: Sequence[str]) -> str:
    """What it printed; DependencyUnavailable with its last words when it fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    except FileNotFoundError as error:
        raise DependencyUnavailable(f"{words[0]} is not on PATH.", next_step=f"install {words[0]}.") from error
    except subprocess.TimeoutExpired as error:
        raise DependencyUnavailable(f"{' '.join(words[:2])} took longer than {SECONDS:.0f} s.") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[-1]
        raise DependencyUnavailable(
            f"{' '.join(words)} failed: {said}", next_step="mend that and run it again: what is pushed stays."
        )
    return done.stdout
