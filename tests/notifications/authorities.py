"""Certificates for providers that speak TLS in tests, and a resolver that answers differently each time it is asked.

Owns a small certificate authority; the servers themselves are in `providers`.
"""

import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = "127.0.0.1"


@dataclass
class Authority:
    """A certificate authority of one's own in `folder`; `ca_file` is what a client must trust."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Signalink test authority")])
        self._name = name
        certificate = self._builder(name, self.key).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.ca_file = self.folder / "ca.pem"
        signed = certificate.sign(self.key, hashes.SHA256())
        self.ca_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
        )

    def server(self, *names: str) -> ssl.SSLContext:
        """A server's context whose certificate is for these names and addresses (loopback without any)."""
        key = ec.generate_private_key(ec.SECP256R1())
        first = (names or (LOOPBACK,))[0]
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, first)])
        alternatives = x509.SubjectAlternativeName([_general(one) for one in names or (LOOPBACK, "localhost")])
        signed = self._builder(name, key).add_extension(alternatives, critical=False).sign(self.key, hashes.SHA256())
        path = self.folder / f"server-{first.replace(':', '_')}.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def _general(name: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


class RebindingResolver:
    """Answers each question with the next of its answers, and the last one for ever: what rebinding DNS does."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers: Iterator[Sequence[str]] = iter(answers)
        self._last: Sequence[str] = ()
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        self._last = next(self._answers, self._last)
        return self._last
