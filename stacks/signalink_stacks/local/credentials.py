"""Owns the generated secrets of a local run: one file each, 0600, in a folder 0700. Nothing here has a default.

Passwords never travel by command line or environment; services get the path of the file.
"""

import contextlib
import hashlib
import os
import secrets
from pathlib import Path


class Credentials:
    """Secrets under one folder, made on first use and kept. Names: `<engine>-<principal>`, `auth-secret`, ..."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()

    def path(self, name: str) -> Path:
        """The file of a secret (made when absent): 43 characters of base64url, 256 bits, no line end."""
        return self._made(name, secrets.token_urlsafe(32).encode())

    def read(self, name: str) -> str:
        return self.path(name).read_text()

    def sha256(self, name: str) -> str:
        """Hex SHA-256 of a secret: what a Redis ACL file carries instead of the word."""
        return hashlib.sha256(self.path(name).read_bytes()).hexdigest()

    def folder(self, name: str) -> Path:
        """A folder 0700 among the secrets, for key files."""
        path = self._root() / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def _root(self) -> Path:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        return self.directory

    def _made(self, name: str, content: bytes) -> Path:
        """Whole or not at all, and the first one wins: two processes may ask at once."""
        path = self._root() / name
        if path.exists():
            return path
        fresh = path.with_name(f".{name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)
        fresh.unlink()
        return path


def write_private(path: Path, text: str) -> None:
    """Replace a file that holds secrets: 0600 from its first byte, and never half written."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
