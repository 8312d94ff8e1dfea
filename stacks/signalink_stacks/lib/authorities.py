"""Owns the certificates by which services know RDS: one authority a region, or those of a file that the stack names.

Pure but for reading files. The authority is `rds-ca-rsa2048-g1`, which the program asks RDS to use.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

BUNDLE: Final = Path(__file__).with_name("rds-authorities.pem")
ENTRY: Final = re.compile(r"^# (\S+)\n(-----BEGIN CERTIFICATE-----\n.*?\n-----END CERTIFICATE-----)$", re.M | re.S)


@cache
def regions() -> dict[str, str]:
    """Region -> its authority's certificate, PEM."""
    return dict(ENTRY.findall(BUNDLE.read_text(encoding="utf-8")))


def of(region: str, file: str) -> str:
    """PEM of the region's authority, or all of `file` where one is given."""
    return Path(file).read_text(encoding="utf-8") if file else regions()[region] + "\n"


def fault(region: str, file: str) -> tuple[str, str] | None:
    """What is expected and how to mend it; None where `of` will answer."""
    if file:
        path = Path(file)
        fine = path.is_file() and "-----BEGIN CERTIFICATE-----" in path.read_text(encoding="utf-8", errors="replace")
        return None if fine else ("a file with PEM certificates", "name one that can be read from here")
    if region in regions():
        return None
    address = f"https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem"
    return ("the certificates of RDS in that region", f"download {address} and name the file")
