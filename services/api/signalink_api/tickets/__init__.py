"""One-use tickets that open a socket at a gateway."""
