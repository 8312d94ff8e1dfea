"""Owns filling a registry: ours are pushed and signed by digest with their list of contents, others are copied.

Docker pushes and copies, `containers.pin` asks the registry, cosign signs without a key: the job's own identity is the
signer. What is in the registry stays as it is, since its tags never move: a run that failed can be repeated.
"""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.containers.pin import Ask
from signalink_stacks.lib import registry
from signalink_stacks.lib.images import Catalogue, Image

CONTENTS: Final = "/usr/share/sbom/signalink-{name}.cdx.json"
SECONDS: Final = 600.0
SHORT: Final = slice(len("sha256:"), len("sha256:") + 12)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """Where to: `registry` is a host with an optional path; `signed` off is for a registry that nobody else reads."""

    registry: str
    tag: str
    folder: Path
    signed: bool = True
    final: bool = False
    """Whether the tag can only mean one thing, a commit: what is there by it is not pushed again."""

    def place(self, image: Image) -> str:
        """Where an image is there. Tags never move, so a pinned image of others has its digest in its tag."""
        tag = f"{registry.BUILT}{self.tag}" if image.ours else image.tag
        more = f"-{image.digest[SHORT]}" if image.digest and not image.ours else ""
        return f"{self.registry}/{image.repository}:{tag}{more}"


def chosen(catalogue: Catalogue, names: Sequence[str], *, ours: bool = False) -> tuple[Image, ...]:
    """Images of these names, or all that a pod can run; `ours`: only those built here. ConfigurationError otherwise."""
    known = {image.name: image for image in catalogue if image.runs and (image.ours or not ours)}
    if unknown := [name for name in names if name not in known]:
        raise ConfigurationError(f"{', '.join(unknown)} is nothing to push.", next_step=f"one of: {', '.join(known)}")
    return tuple(known[name] for name in names) if names else tuple(known.values())


def publish(wanted: Sequence[Image], wish: Wish, ask: Ask, say: Say) -> dict[str, str]:
    """Repository -> digest, as charts and stacks want it. DependencyUnavailable when a step fails."""
    wish.folder.mkdir(parents=True, exist_ok=True)
    return {
        image.repository: _own(image, wish, ask, say) if image.ours else _copy(image, wish, ask, say)
        for image in wanted
    }


def _own(image: Image, wish: Wish, ask: Ask, say: Say) -> str:
    there = wish.place(image)
    digest = present(there, ask) if wish.final else ""
    say(f"{'found' if digest else 'publishing'} {there}")
    for words in pulling(there) if digest else pushing(image, wish):
        run(words)
    digest = digest or ask(there)
    for words in [*contents(image, wish), *(signing(image, wish, digest) if wish.signed else [])]:
        run(words)
    return digest


def _copy(image: Image, wish: Wish, ask: Ask, say: Say) -> str:
    """Of others: by the digest where it is known, and it must be that afterwards."""
    there = wish.place(image)
    if digest := present(there, ask):
        say(f"found {there}")
    else:
        say(f"copying {image.reference} to {there}")
        try:
            run(copying(image, there))
        except DependencyUnavailable as error:
            raise DependencyUnavailable(
                f"{image.reference} was not copied into {wish.registry}, where the pods look for it: {error.detail}",
                next_step=f"see that `docker buildx imagetools inspect {image.reference}` answers here (sign in with "
                "`docker login`, or wait where a limit of pulls is reached) and run it again: what is copied stays.",
            ) from error
        digest = ask(there)
    if image.digest and digest != image.digest:
        raise DependencyUnavailable(
            f"{there} is {digest}, and charts/images.yaml says {image.digest}.",
            next_step="delete it in the registry, and run it again.",
        )
    return digest


def present(there: str, ask: Ask) -> str:
    """The digest of what is there already; empty where nothing is, or nobody says."""
    try:
        return ask(there)
    except DependencyUnavailable:
        return ""


def copying(image: Image, there: str) -> list[str]:
    """From registry to registry, every platform of it, byte by byte: so the digest stays."""
    source = f"{image.repository}@{image.digest}" if image.digest else image.reference
    return ["docker", "buildx", "imagetools", "create", "--prefer-index=false", "--tag", there, source]


def pulling(there: str) -> list[list[str]]:
    """For its list of contents: what is here may be another build of the same commit."""
    return [["docker", "pull", "--quiet", there]]


def pushing(image: Image, wish: Wish) -> list[list[str]]:
    there = wish.place(image)
    return [["docker", "tag", f"{image.repository}:{wish.tag}", there], ["docker", "push", "--quiet", there]]


def contents(image: Image, wish: Wish) -> list[list[str]]:
    """The list of contents that the build put into the image, copied out of a container that never runs."""
    name = f"signalink-contents-{image.name}"
    inside = CONTENTS.format(name=image.name)
    return [
        ["docker", "create", "--name", name, wish.place(image)],
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
