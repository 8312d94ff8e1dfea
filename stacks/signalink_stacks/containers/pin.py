"""Owns digests: asks the registry by a tool that is here, and writes them into charts/images.yaml and the Dockerfile.

Which registry that is, and how to sign in to it, is the tool's configuration. Nothing is written unless all answered.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.lib import images
from signalink_stacks.lib.images import Catalogue, Image

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
SECONDS: Final = 60.0
TOOLS: Final[dict[str, Sequence[str]]] = {
    "crane": ("crane", "digest"),
    "skopeo": ("skopeo", "inspect", "--format", "{{.Digest}}"),
    "docker": ("docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}"),
}
"""Program -> its command, to which the reference is added; the first that is on PATH is asked."""
Ask = Callable[[str], str]


def asker(which: Callable[[str], str | None] = shutil.which) -> Ask:
    """How to ask for the digest of a reference; ConfigurationError when no tool for it is on PATH."""
    for name, words in TOOLS.items():
        if which(name):
            prefix = "docker://" if name == "skopeo" else ""
            return lambda reference, words=words, prefix=prefix: _ask([*words, f"{prefix}{reference}"])  # type: ignore[misc]
    raise ConfigurationError(
        "No tool that can ask a registry is on PATH.", next_step=f"install one of: {', '.join(TOOLS)}."
    )


def _ask(words: Sequence[str]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise DependencyUnavailable(f"{words[0]} had no answer within {SECONDS:.0f} s: {words[-1]}.") from error
    found = DIGEST.search(done.stdout) if done.returncode == 0 else None
    if found is None:
        why = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[-1]
        raise DependencyUnavailable(
            f"{words[0]} found no digest of {words[-1]}: {why}.", next_step="see that the tag exists, and sign in."
        )
    return found[0]


def chosen(catalogue: Catalogue, names: Sequence[str], *, again: bool) -> list[Image]:
    """Images to ask for: the named ones, else those of others that have no digest (`again`: all of others)."""
    if names:
        return [catalogue.named(name) for name in names]
    return [image for image in catalogue if not image.ours and (again or not image.digest)]


def find(wanted: Sequence[Image], ask: Ask) -> dict[str, str]:
    """Name -> digest."""
    return {image.name: ask(f"{image.repository}:{image.tag}") for image in wanted}


def write(root: Path, digests: Mapping[str, str]) -> None:
    """Put digests into the file, which keeps its words and order, and the base's into the Dockerfile."""
    path = root / images.FILE
    path.write_text(pinned(path.read_text(encoding="utf-8"), digests), encoding="utf-8")
    dockerfile = root / "services/Dockerfile"
    reference = images.load(path).base.reference
    text = dockerfile.read_text(encoding="utf-8")
    dockerfile.write_text(
        re.sub(r"^ARG BASE_IMAGE=.*$", f"ARG BASE_IMAGE={reference}", text, count=1, flags=re.MULTILINE),
        encoding="utf-8",
    )


def pinned(text: str, digests: Mapping[str, str]) -> str:
    """The text of images.yaml with these digests."""
    for name, digest in digests.items():
        entry = re.compile(rf"(- name: {re.escape(name)}\n(?:    .*\n)*?    digest: ).*\n")
        text, count = entry.subn(rf'\g<1>"{digest}"\n', text)
        if count != 1:
            raise ConfigurationError(f"The entry {name} of {images.FILE} has no line `digest:` of its own.")
    return text


def values(catalogue: Catalogue, digests: Mapping[str, str]) -> str:
    """The same as Helm values: repository -> digest, for charts that were packaged before."""
    known: dict[str, Any] = {catalogue.named(name).repository: digest for name, digest in digests.items()}
    return yaml.safe_dump({"global": {"imageDigests": known}}, sort_keys=True)
