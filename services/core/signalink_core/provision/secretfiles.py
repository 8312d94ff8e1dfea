"""Owns where the secrets of all principals lie in a container: one file each, named `<engine>-<principal>`."""

from pathlib import Path
from typing import Final

from signalink_core.errors import ConfigurationError
from signalink_core.settings import read_secret

FOLDER: Final = Path("/run/secrets/signalink")


class SecretFiles:
    """Secrets of one folder, read when asked for."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    def read(self, name: str) -> str:
        """ConfigurationError naming the file when it is missing or empty."""
        found = read_secret(self.folder / name, name)
        if found is None:
            raise ConfigurationError(f"The secret {name} is missing in {self.folder}.")
        return found
