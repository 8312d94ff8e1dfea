"""Certificates of RDS: each region's own authority, and a region without one is named with where to get it."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from signalink_core.errors import ConfigurationError
from signalink_core.settings import tls_context
from signalink_stacks.lib import authorities, config

OWN = {"kubeconfig": "own", "context": "own"}
EKS = {"target": "eks", "owner": "ada", "expires": "2027-01-31", "cluster": OWN}


@pytest.mark.parametrize("region", sorted(authorities.regions()))
def test_a_regions_certificate_is_its_own_authority_signed_by_itself_and_valid_for_long(region: str) -> None:
    (found,) = x509.load_pem_x509_certificates(authorities.of(region, "").encode())
    (name,) = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    assert name.value == f"Amazon RDS {region} Root CA RSA2048 G1"
    found.verify_directly_issued_by(found)
    assert found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    key = found.public_key()
    assert isinstance(key, rsa.RSAPublicKey) and key.key_size == 2048
    assert found.not_valid_after_utc > datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=365)


def test_a_client_can_use_what_a_region_gives(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text(authorities.of("eu-central-1", ""))
    assert len(tls_context(path, "Postgres").get_ca_certs()) == 1


def test_a_region_without_an_authority_here_is_refused_with_where_to_get_it() -> None:
    with pytest.raises(
        ConfigurationError, match=r"truststore.pki.rds.amazonaws.com/us-gov-west-1/us-gov-west-1-bundle"
    ):
        config.parse("eks", EKS | {"aws": {"region": "us-gov-west-1"}})


def test_a_file_of_yours_is_taken_whole_and_one_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.pem"
    path.write_text(authorities.of("us-east-1", "") + authorities.of("us-west-2", ""))
    settings = config.parse("eks", EKS | {"aws": {"region": "us-gov-west-1", "caFile": str(path)}})
    assert settings.aws is not None
    assert authorities.of(settings.aws.region, settings.aws.ca_file) == path.read_text()
    (tmp_path / "empty.pem").write_text("nothing")
    for wrong in ("missing.pem", "empty.pem"):
        with pytest.raises(ConfigurationError, match="caFile"):
            config.parse("eks", EKS | {"aws": {"region": "us-east-1", "caFile": str(tmp_path / wrong)}})
