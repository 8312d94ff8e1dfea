"""Owns the ACL file of a Redis or Valkey server: the table of principals with the hashes of their passwords."""

import hashlib
from pathlib import Path

from signalink_core import principals
from signalink_core.provision.files import write_private
from signalink_core.provision.secretfiles import SecretFiles


def acl(secrets: SecretFiles) -> str:
    """The text of `users.acl`; no password in clear is in it."""
    hashes = {
        name: hashlib.sha256(secrets.read(f"redis-{name}").encode()).hexdigest()
        for name in principals.redis_principals()
    }
    return "".join(f"{line}\n" for line in principals.redis_users(hashes))


def write_acl(secrets: SecretFiles, out: Path) -> None:
    write_private(out, acl(secrets))
