"""Reads Topic manifests from YAML files. An error names the file, the document, the key and what is allowed there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from signalink_core.errors import ConfigurationError
from signalink_operator.model import API_VERSION, Topic

SHIPPED = Path(__file__).resolve().parent.parent / "manifests" / "topics.yaml"


def load(paths: Iterable[Path]) -> list[Topic]:
    """All topics of the files (a folder gives its *.yaml), in order; two documents of one topic are refused."""
    topics: dict[str, tuple[Path, Topic]] = {}
    for path in _files(paths):
        for topic in _read(path):
            if topic.name in topics:
                raise ConfigurationError(
                    f"Topic {topic.name} is in {topics[topic.name][0]} and again in {path}.",
                    next_step="keep one of the two documents.",
                )
            topics[topic.name] = (path, topic)
    if not topics:
        raise ConfigurationError("No Topic document was found.", next_step="name a file that holds one with -f FILE.")
    return [topic for _, topic in topics.values()]


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.glob("*.yaml"))
        else:
            yield path


def _read(path: Path) -> Iterator[Topic]:
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}.", next_step="correct the path or its mode."
        ) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is no YAML: {error}.", next_step="correct that line.") from error
    for number, document in enumerate(documents, start=1):
        if document is not None:
            yield _parse(document, f"{path}, document {number}")


def _parse(document: Any, where: str) -> Topic:
    try:
        return Topic.model_validate(document)
    except ValidationError as error:
        what = "; ".join(_sentence(item["loc"], item["msg"]) for item in error.errors())
        raise ConfigurationError(
            f"{where}: {what}.", next_step=f"write it as a Topic of {API_VERSION}; quote booleans and decimal numbers."
        ) from error


def _sentence(loc: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, loc)) or 'the document'}: {message}"
