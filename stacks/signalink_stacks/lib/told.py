"""Owns how the Pulumi program tells people what only they can do, while it waits for it: a line with `Next: `. Pure."""

from typing import Final

NEXT: Final = "Next: "
CERTIFICATE_MINUTES: Final = 75
"""How long the program waits for a certificate, whose DNS records somebody may have to write by hand."""


def records(lines: list[str]) -> str:
    """What to write so that a certificate is issued."""
    return f"{NEXT}write within {CERTIFICATE_MINUTES} minutes, for the certificate, in your DNS: {'; '.join(lines)}"


def found(line: str) -> str:
    """What a line of the engine asks somebody to do; empty for any other."""
    before, mark, rest = line.partition(NEXT)
    return f"{mark}{rest.strip()}" if mark and (not before.strip() or before.endswith(" ")) else ""
