"""JSON Schemas of the event types for docs/api/events: `python -m signalink_core.events.schemas FOLDER`.

Owns how they are rendered; a test compares the committed files with this output.
"""

import sys
from pathlib import Path

import orjson

from signalink_core.events import types
from signalink_core.events.envelope import schema_of


def render() -> dict[str, bytes]:
    """File name -> content, for every event type of the catalogue."""
    return {f"{name.removeprefix(types.PREFIX)}.json": _schema(name, model) for name, model in types.TYPES.items()}


def write(folder: Path) -> None:
    """Write every schema into `folder`, which is made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in render().items():
        (folder / name).write_bytes(content)


def _schema(name: str, model: type[types.EventData]) -> bytes:
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": schema_of(name)}
    return orjson.dumps(head | model.model_json_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
