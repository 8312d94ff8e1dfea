"""Owns writing files that hold secrets: 0600 from their first byte, and never half written."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace a file, or make it and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
