"""Takes secrets and personal data out of log lines, whatever wrote them; the last defence, not the first."""

import re
from collections.abc import MutableMapping
from typing import Any

MASK = "[redacted]"
_SECRET_KEYS = re.compile(
    r"(^|_)(passwords?|passwd|secrets?|tokens?|tickets?|authorization|cookies?|credentials?|e?mails?|body|bodies|private_key)$",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*"  # a JWT
    r"|(?<=[Bb]earer )[^\s\"',;]+"
    r"|(?<=ticket\.)[\w.~-]{8,}"  # the WebSocket subprotocol that carries a ticket
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # user:password in a URL
    r"|(?i:(?<=password=)|(?<=token=)|(?<=secret=)|(?<=ticket=))[^\s&\"',;]+"
    r"|[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"  # an e-mail address
)
_DEEPEST = 6


def redact(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: masks values of secret keys, and secrets inside any text, nested ones too."""
    for key, value in line.items():
        line[key] = MASK if _SECRET_KEYS.search(key) and value is not None else redacted(value)
    return line


def redacted(value: Any, depth: int = 0) -> Any:
    """The same value with secrets masked; what is nested too deep is masked whole."""
    if isinstance(value, str):
        return _SECRET_TEXT.sub(MASK, value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _DEEPEST:
        return MASK
    if isinstance(value, dict):
        return {
            str(key): MASK if _SECRET_KEYS.search(str(key)) and item is not None else redacted(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item, depth + 1) for item in value]
    return redacted(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value), depth + 1)
