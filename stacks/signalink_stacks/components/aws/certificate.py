"""Owns the certificate: asked for by DNS, there before anything that shows it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from signalink_stacks.lib import told


@dataclass(frozen=True, slots=True)
class CertificateArgs:
    """`zone`: id of the hosted zone at Route 53; empty: the records to make are printed while the stack waits."""

    names: Sequence[str]
    zone: str
    tags: Mapping[str, str]


class Certificate(pulumi.ComponentResource):
    """`arn` is known once the certificate is issued: whoever takes it comes after."""

    def __init__(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Certificate", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        first, *others = args.names
        asked = aws.acm.Certificate(
            f"{name}-certificate",
            domain_name=first,
            subject_alternative_names=others,
            validation_method="DNS",
            key_algorithm="EC_prime256v1",
            tags={**args.tags},
            opts=inside,
        )
        proofs = [asked.domain_validation_options.apply(_finder(each)) for each in args.names]
        self.records = [pulumi.Output.from_input(proof) for proof in proofs]
        made = [self._record(name, place, args.zone, proof) for place, proof in enumerate(proofs) if args.zone]
        if not args.zone:
            pulumi.Output.all(*proofs).apply(lambda all_: pulumi.log.info(told.records([*map(line, all_)]), self))
        issued = aws.acm.CertificateValidation(
            f"{name}-issued",
            certificate_arn=asked.arn,
            validation_record_fqdns=[record.fqdn for record in made] or None,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=made,
                custom_timeouts=pulumi.CustomTimeouts(create=f"{told.CERTIFICATE_MINUTES}m"),
            ),
        )
        self.issued = issued
        self.arn = issued.certificate_arn
        self.register_outputs({"arn": self.arn})

    def _record(self, name: str, place: int, zone: str, proof: pulumi.Output[Mapping[str, str]]) -> aws.route53.Record:
        return aws.route53.Record(
            f"{name}-proof-{place}",
            zone_id=zone,
            name=proof.apply(lambda it: it["name"]),
            type=proof.apply(lambda it: it["type"]),
            records=[proof.apply(lambda it: it["value"])],
            ttl=60,
            allow_overwrite=True,
            opts=pulumi.ResourceOptions(parent=self),
        )


def _finder(name: str) -> Callable[[Sequence[Any]], dict[str, str]]:
    return lambda found: _proof(found, name)


def _proof(found: Sequence[Any], name: str) -> dict[str, str]:
    """The record that proves who owns `name`."""
    one = next((each for each in found if each.domain_name == name), found[0])
    return {
        "name": str(one.resource_record_name),
        "type": str(one.resource_record_type),
        "value": str(one.resource_record_value),
    }


def line(record: Mapping[str, str]) -> str:
    """As a zone file has it."""
    return f"{record['name']} {record['type']} {record['value']}"
