"""Owns building our images: from a commit to the commands of an engine, then running them one after another."""

import os
import re
import subprocess
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_stacks.lib.images import Catalogue, Image

DOCKERFILE: Final = "services/Dockerfile"
MIRRORS: Final = ("PIP_INDEX_URL", "NPM_CONFIG_REGISTRY", "PIP_DEFAULT_TIMEOUT")
"""Settings of this shell that the build is told, when they are set."""
EXTRAS: Final = ("", "aws")
"""What an image may hold besides its service; aws is what signs in to RDS, ElastiCache and MSK."""
BUILD_SECONDS: Final = 1800.0
GIT_SECONDS: Final = 10.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Source:
    """What is built: the checkout, its commit, when that was made (seconds since 1970), the product's version."""

    root: Path
    revision: str
    epoch: int
    version: str

    @property
    def tag(self) -> str:
        """Of images of this commit; a changed tree says so."""
        commit, _, changed = self.revision.partition("-")
        return commit[:12] + (f"-{changed}" if changed else "")

    @property
    def settled(self) -> bool:
        """Whether it is a commit and nothing else, so that a tag of it means one thing for ever."""
        return self.revision != "unknown" and "-" not in self.revision


def source(root: Path) -> Source:
    """Read from git and pyproject.toml; without git (an unpacked archive) the revision is `unknown`."""
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    found = _git(root, "log", "-1", "--format=%H %ct").split()
    if len(found) != 2:
        return Source(root, "unknown", 1_700_000_000, version)
    changed = "-changed" if _git(root, "status", "--porcelain", "--untracked-files=no") else ""
    return Source(root, found[0] + changed, int(found[1]), version)


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-c", "safe.directory=*", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def command(
    image: Image,
    catalogue: Catalogue,
    source: Source,
    *,
    tag: str,
    base: str = "",
    extra: str = "",
    environment: Mapping[str, str],
) -> list[str]:
    """The engine's command for one image. `base`: another base than the catalogue's. `extra`: what is in it besides."""
    arguments = {
        "SERVICE": image.name,
        "BASE_IMAGE": base or catalogue.base.reference,
        "BASE_DIGEST": "" if base else catalogue.base.digest,
        "VERSION": source.version,
        "REVISION": source.revision,
        "SOURCE_DATE_EPOCH": str(source.epoch),
        **({"EXTRA": extra} if extra else {}),
        **{name: environment[name] for name in MIRRORS if environment.get(name)},
    }
    options = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    place = ["--file", str(source.root / DOCKERFILE), "--tag", f"{image.repository}:{tag}"]
    return ["docker", "build", *place, *options, str(source.root)]


def extra_of(name: str) -> str:
    """The name; ConfigurationError for an extra that images cannot have."""
    if name not in EXTRAS:
        raise ConfigurationError(f"There is no extra {name!r} for images.", next_step=f"one of: {', '.join(EXTRAS)}.")
    return name


def chosen(catalogue: Catalogue, names: Sequence[str]) -> tuple[Image, ...]:
    """Our images of these names, or all; ConfigurationError for a name that is not built here."""
    ours = {image.name: image for image in catalogue.services()}
    if unknown := [name for name in names if name not in ours]:
        raise ConfigurationError(f"{', '.join(unknown)} is not built here.", next_step=f"one of: {', '.join(ours)}")
    return tuple(ours[name] for name in names) if names else catalogue.services()


def run(
    wanted: Sequence[Image],
    catalogue: Catalogue,
    source: Source,
    *,
    tag: str,
    base: str = "",
    extra: str = "",
    say: Say,
) -> list[str]:
    """Build each; the references that are now in the engine. DependencyUnavailable with the engine's last lines."""
    made = []
    for image in wanted:
        say(f"building {image.repository}:{tag}")
        _build(command(image, catalogue, source, tag=tag, base=base, extra=extra, environment=os.environ), image.name)
        made.append(f"{image.repository}:{tag}")
    return made


def _build(words: Sequence[str], name: str) -> None:
    try:
        done = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BUILD_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise DependencyUnavailable(
            "docker is not on PATH.", next_step="install Docker, or name another target: `signalink up`."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise DependencyUnavailable(f"The image {name} was not built within {BUILD_SECONDS:.0f} s.") from error
    if done.returncode:
        last = "\n".join(re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).strip().splitlines()[-20:])
        raise DependencyUnavailable(
            f"The image {name} could not be built:\n{last}",
            next_step="`signalink doctor --target kind` looks at the engine; a base of your own: --base-image.",
        )


def size(reference: str) -> int:
    """Bytes of an image in the engine."""
    asked = ["docker", "image", "inspect", "--format", "{{.Size}}", reference]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise DependencyUnavailable(f"The engine has no image {reference}.", next_step="`signalink images build`")
    return int(done.stdout)
