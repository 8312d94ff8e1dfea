"""Owns asking a process whether it is ready: one HTTP request to its internal port, without a client library."""

import asyncio

from signalink_stacks.local.ports import LOOPBACK

TIMEOUT_SECONDS = 1.0


async def http_ok(port: int, path: str, timeout: float = TIMEOUT_SECONDS) -> bool:
    """Whether `GET path` on the loopback port answers 200 within `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n".encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return status.split()[1:2] == [b"200"]
