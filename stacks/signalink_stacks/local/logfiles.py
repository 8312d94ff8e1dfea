"""Owns the logs of children: one file each, appended by the child itself, copied and emptied when it grows too long.

Copy-and-truncate, because the child holds the file: a line written between the two is lost, at most once per rotation.
"""

import json
import shutil
from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024
KEPT = 2


def path_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.log"


def old(path: Path, number: int) -> Path:
    """`api-0.log` -> `api-0.log.1` is the newest old one."""
    return path.with_name(f"{path.name}.{number}")


def rotate(path: Path, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> bool:
    """Rotate if the file is longer than `max_bytes`; at most `kept` old ones stay."""
    if not path.exists() or path.stat().st_size <= max_bytes:
        return False
    for number in range(kept, 1, -1):
        if old(path, number - 1).exists():
            old(path, number - 1).replace(old(path, number))
    shutil.copyfile(path, old(path, 1))
    with path.open("r+b") as file:
        file.truncate(0)
    return True


def explain(path: Path, start: int = 0, size: int = 2000) -> str:
    """Why a process ended, from what it logged after byte `start`: its own last word, else the end of the log."""
    if not path.exists():
        return "(no log)"
    with path.open("rb") as file:
        file.seek(max(start, path.stat().st_size - size))
        text = file.read().decode(errors="replace").strip()
    for line in reversed(text.splitlines()):
        if word := _last_word(line):
            return word
    return text or "(it logged nothing)"


def _last_word(line: str) -> str | None:
    """The sentence in a JSON line of `signalink_core.process`."""
    try:
        document = json.loads(line)
    except ValueError:
        return None
    if not isinstance(document, dict) or not isinstance(document.get("what"), str):
        return None
    following = document.get("next")
    return f"{document['what']} Next: {following}" if following else document["what"]
