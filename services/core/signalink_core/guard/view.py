"""What every control looks at: one request or handshake, whatever carried it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

Transport = Literal["http", "websocket"]


@dataclass(frozen=True, slots=True)
class View:
    """`peer` is the address the TCP connection came from; header names are lower case, values in order of arrival."""

    transport: Transport
    method: str
    path: str
    peer: str
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def of(
        cls, transport: Transport, method: str, path: str, peer: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> Self:
        decoded = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
        return cls(transport, method, path, peer, decoded)

    @classmethod
    def of_scope(cls, scope: Mapping[str, Any]) -> Self:
        """The view of an ASGI `http` or `websocket` scope."""
        client = scope.get("client") or ("", 0)
        return cls.of(scope["type"], scope.get("method", "GET"), scope["path"], client[0], scope["headers"])

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for header, value in self.headers if header == name]

    def value(self, name: str) -> str | None:
        """The only value of a header; None when it is absent or doubled, which no control may take for a yes."""
        values = self.values(name)
        return values[0] if len(values) == 1 else None
