"""Which certificates a channel trusts: the system's, and those of a file for private authorities."""

import ssl
from pathlib import Path

from signalink_core.errors import ConfigurationError


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """A client's context; ConfigurationError when the file cannot be read."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"The certificates in {ca_file} cannot be read.",
                next_step="name a PEM file in the ..._CA_FILE setting.",
            ) from error
    return context
