"""Owns the model of charts/images.yaml: which images exist, by which reference each is run, what a release must pin.

Asking a registry for digests is `containers.pin`'s work, building ours is `containers.build`'s.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

import signalink_stacks
from signalink_core.errors import ConfigurationError

FILE: Final = Path("charts/images.yaml")
Role = Literal["base", "service", "backing", "observability"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Repository = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$", max_length=200)
]
Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64})?$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Image(_Table):
    """One image. `digest` is empty until `signalink images pin` has asked the registry."""

    name: Name
    repository: Repository
    """Without a host: an engine's default registry, or a mirror, is where it comes from."""
    tag: Tag
    digest: Digest
    licence: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.+-]+( (AND|OR) [A-Za-z0-9.+-]+)*$")]
    """SPDX expression."""
    role: Role

    @model_validator(mode="after")
    def _names_no_host_and_no_moving_tag(self) -> Self:
        first, slash, _ = self.repository.partition("/")
        if slash and ("." in first or first == "localhost"):
            raise ValueError(f"{self.name}: repository begins with the host {first}; leave it out")
        if self.tag == "latest":
            raise ValueError(f"{self.name}: the tag latest names another image tomorrow; name a version")
        return self

    @property
    def ours(self) -> bool:
        return self.role == "service"

    @property
    def runs(self) -> bool:
        """Whether a pod can run it; the base is only built upon."""
        return self.role != "base"

    @property
    def reference(self) -> str:
        """What an engine is told to run: by digest where it is known, with the tag for people."""
        return f"{self.repository}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


class Catalogue(_Table):
    """All images, each name and each repository once."""

    version: Literal[1]
    images: Annotated[tuple[Image, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for key in ("name", "repository"):
            seen: set[str] = set()
            for image in self.images:
                value = getattr(image, key)
                if value in seen:
                    raise ValueError(f"the {key} {value} stands there twice")
                seen.add(value)
        if sum(image.role == "base" for image in self.images) != 1:
            raise ValueError("exactly one image has the role base: what services/Dockerfile begins with")
        return self

    def __iter__(self) -> Iterator[Image]:  # type: ignore[override]  # a catalogue is its images
        return iter(self.images)

    def named(self, name: str) -> Image:
        """ConfigurationError with the known names for one that is not there."""
        for image in self.images:
            if image.name == name:
                return image
        known = ", ".join(image.name for image in self.images)
        raise ConfigurationError(f"There is no image {name}.", next_step=f"one of: {known}")

    @property
    def base(self) -> Image:
        return next(image for image in self.images if image.role == "base")

    def services(self) -> tuple[Image, ...]:
        """Those that services/Dockerfile builds; each is called as its service."""
        return tuple(image for image in self.images if image.ours)

    def unpinned(self) -> list[str]:
        """Names without a digest: what a release may not have."""
        return [image.name for image in self.images if not image.digest]


def root() -> Path:
    """The checkout. ConfigurationError in an installed wheel, which carries neither charts nor the Dockerfile."""
    found = Path(signalink_stacks.__file__).resolve().parents[2]
    if not (found / FILE).is_file():
        raise ConfigurationError(
            f"{FILE} is not here: this Signalink is installed without its source.",
            next_step="clone the repository and run the command in it.",
        )
    return found


def load(path: Path | None = None, *, release: bool = False) -> Catalogue:
    """Read and check; every fault in one ConfigurationError. `release` also refuses an empty digest."""
    path = path or root() / FILE
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: is not YAML: {error}.", next_step="correct the file.") from error
    return parse(document, str(path), release=release)


def parse(document: object, source: str, *, release: bool = False) -> Catalogue:
    """The same for a document that was read from `source`."""
    try:
        catalogue = Catalogue.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(_sentence(item) for item in error.errors())
        raise ConfigurationError(f"{source}: {faults}.", next_step="correct the file and try again.") from error
    if release and (names := catalogue.unpinned()):
        raise ConfigurationError(
            f"{source}: a release runs images by digest, and {', '.join(names)} have none.",
            next_step="`signalink images pin` asks the registry; ours get theirs when they are pushed.",
        )
    return catalogue


def _sentence(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    return f"{key}: {item['msg'][:1].lower()}{item['msg'][1:]}" + (
        f" (found {item['input']!r})" if isinstance(item["input"], str) else ""
    )
