"""The AsyncAPI document of the socket, built from the structs of `commands` and `answers`.

`python -m signalink_gateway.asyncapi docs/api/asyncapi.yaml` writes it; a test compares what is committed.
"""

import inspect
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec

from signalink_gateway import answers, commands, frames, handshake

REF = "#/components/schemas/"


def document() -> dict[str, Any]:
    """AsyncAPI 3.0: one channel, one operation per direction, one message per `op`."""
    sent, received = get_args(commands.AnyCommand), get_args(answers.AnyAnswer)
    messages, schemas = _messages(sent) | _messages(received), _schemas((*sent, *received))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Signalink gateway",
            "version": "1",
            "description": (
                f"JSON text frames of at most {frames.MAX_BYTES} bytes; the subprotocol is `{handshake.SUBPROTOCOL}`. "
                "A ticket of `POST /v1/ws-tickets` comes as a second subprotocol `ticket.<value>` or in `auth`, within "
                "5 s. Clients ignore server frames and fields they do not know; the gateway refuses what it does not "
                "know. Close codes: close-codes.md."
            ),
        },
        "servers": {"local": {"host": "127.0.0.1:8001", "protocol": "ws"}},
        "channels": {
            "socket": {
                "address": handshake.PATH,
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "obey": _operation("receive", "What a client may send.", sent),
            "tell": _operation("send", "What the gateway sends.", received),
        },
        "components": {"messages": messages, "schemas": schemas},
    }


def _operation(action: str, summary: str, structs: tuple[type, ...]) -> dict[str, Any]:
    references = [{"$ref": f"#/channels/socket/messages/{_name(struct)}"} for struct in structs]
    return {"action": action, "channel": {"$ref": "#/channels/socket"}, "summary": summary, "messages": references}


def _name(struct: type) -> str:
    return struct.__name__.lower()


def _messages(structs: tuple[type[msgspec.Struct], ...]) -> dict[str, Any]:
    return {_name(struct): {"name": op(struct), "payload": {"$ref": REF + struct.__name__}} for struct in structs}


def op(struct: type[msgspec.Struct]) -> str:
    """The value of `op` in frames of this shape."""
    return str(struct.__struct_config__.tag)


def _schemas(structs: tuple[type, ...]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(structs, ref_template=REF + "{name}")
    for schema in components.values():
        if "description" in schema:  # the indentation of docstrings differs between versions of Python
            schema["description"] = inspect.cleandoc(schema["description"])
    return dict(sorted(components.items()))


def text() -> str:
    """The committed file. PyYAML is a tool of developers, not of the running gateway."""
    import yaml

    head = "# Written by `python -m signalink_gateway.asyncapi docs/api/asyncapi.yaml`; do not edit.\n"
    return head + yaml.safe_dump(document(), sort_keys=False, width=110, allow_unicode=True)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
