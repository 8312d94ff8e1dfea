"""Owns the stack of one machine: a small network without a way to pay for, a role for the console, the machine.

Nobody can log in from outside: people come by Session Manager, and by https from the networks that the stack names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

import pulumi
import pulumi_aws as aws

from signalink_stacks.components.aws.network import Network, NetworkArgs
from signalink_stacks.lib import boot, doors, grants

IMAGE: Final = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id"
"""Parameter of AWS with the newest image of Ubuntu 24.04, which brings the agent of Session Manager."""
PULL_POLICY: Final = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
SESSION_POLICY: Final = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
DISK_GIB: Final = 20


@dataclass(frozen=True, slots=True)
class LiteArgs:
    """`open_to`: networks that may use https, where there is a domain; with none the machine has no open port."""

    called: str
    region: str
    cidr: str
    zone_name: pulumi.Input[str]
    instance: str
    architecture: Literal["amd64", "arm64"]
    boot: boot.Boot
    open_to: Sequence[str]
    expires: date | None
    tags: Mapping[str, str]


class Lite(pulumi.ComponentResource):
    """One EC2 instance with an encrypted disk that ends itself."""

    def __init__(self, name: str, args: LiteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Lite", name, None, opts)
        self._name, self._args = name, args
        self.network = Network(
            f"{name}-net",
            NetworkArgs(
                cidr=args.cidr,
                region=args.region,
                zones=[args.zone_name],
                ways_out="none",
                endpoints=False,
                tags=args.tags,
                groups={"machine": "The machine"},
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self._open()
        self.instance = self._instance(self._profile())
        if args.boot.zone:
            self._record()
        if args.expires is not None:
            self._end(args.expires)
        self.instance_id = self.instance.id
        self.said = args.boot.parts.said()
        self.register_outputs({"instanceId": self.instance.id})

    def _open(self) -> None:
        group = self.network.groups["machine"]
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-out",
            security_group_id=group,
            ip_protocol="-1",
            cidr_ipv4=doors.WORLD,
            description="Packages, the repository, Session Manager",
            tags={**self._args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )
        for place, network in enumerate(self._args.open_to if self._args.boot.domain else ()):
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-https-{place}",
                security_group_id=group,
                ip_protocol="tcp",
                from_port=doors.HTTPS,
                to_port=doors.HTTPS,
                cidr_ipv4=network,
                description="https of a network the stack names",
                tags={**self._args.tags},
                opts=pulumi.ResourceOptions(parent=self),
            )

    def _profile(self) -> aws.iam.InstanceProfile:
        inside = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{self._name}-role",
            name=self._args.called,
            assume_role_policy=pulumi.Output.json_dumps(grants.trust("ec2.amazonaws.com")),
            tags={**self._args.tags},
            opts=inside,
        )
        before: list[pulumi.Resource] = [
            aws.iam.RolePolicyAttachment(
                f"{self._name}-session", role=role.name, policy_arn=SESSION_POLICY, opts=inside
            )
        ]
        if self._args.boot.registry:
            before.append(
                aws.iam.RolePolicyAttachment(f"{self._name}-pull", role=role.name, policy_arn=PULL_POLICY, opts=inside)
            )
        if self._args.boot.zone:
            document = grants.document(certificate_by_dns(self._args.boot.zone, self._args.boot.domain))
            policy = pulumi.Output.json_dumps(document)
            before.append(aws.iam.RolePolicy(f"{self._name}-dns", role=role.name, policy=policy, opts=inside))
        return aws.iam.InstanceProfile(
            f"{self._name}-profile",
            name=self._args.called,
            role=role.name,
            tags={**self._args.tags},
            opts=pulumi.ResourceOptions(parent=self, depends_on=before),
        )

    def _instance(self, profile: aws.iam.InstanceProfile) -> aws.ec2.Instance:
        args = self._args
        image = aws.ssm.get_parameter_output(
            name=IMAGE.format(args.architecture), opts=pulumi.InvokeOptions(parent=self)
        )
        tags = {**args.tags, "Name": args.called}
        return aws.ec2.Instance(
            f"{self._name}-machine",
            ami=image.insecure_value,
            instance_type=args.instance,
            subnet_id=self.network.public_ids[0],
            vpc_security_group_ids=[self.network.groups["machine"]],
            associate_public_ip_address=True,
            iam_instance_profile=profile.name,
            instance_initiated_shutdown_behavior="terminate",
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(
                http_tokens="required", http_put_response_hop_limit=1, http_endpoint="enabled"
            ),
            root_block_device=aws.ec2.InstanceRootBlockDeviceArgs(
                encrypted=True, volume_type="gp3", volume_size=DISK_GIB, delete_on_termination=True, tags=tags
            ),
            user_data=boot.script(args.boot),
            user_data_replace_on_change=True,
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["ami"]),
        )

    def _record(self) -> None:
        aws.route53.Record(
            f"{self._name}-name",
            zone_id=self._args.boot.zone,
            name=self._args.boot.domain,
            type="A",
            ttl=60,
            records=[self.instance.public_ip],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _end(self, day: date) -> None:
        """A schedule outside the machine as well: it ends even one whose timer was switched off."""
        inside = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{self._name}-end-role",
            name=f"{self._args.called}-end",
            assume_role_policy=pulumi.Output.json_dumps(grants.trust("scheduler.amazonaws.com")),
            tags={**self._args.tags},
            opts=inside,
        )
        document: dict[str, Any] = {
            "Version": grants.VERSION,
            "Statement": [
                {"Effect": "Allow", "Action": ["ec2:TerminateInstances"], "Resource": [self.instance.arn]},
            ],
        }
        policy = aws.iam.RolePolicy(
            f"{self._name}-end-policy", role=role.name, policy=pulumi.Output.json_dumps(document), opts=inside
        )
        aws.scheduler.Schedule(
            f"{self._name}-end",
            name=f"{self._args.called}-end",
            schedule_expression=f"at({day.isoformat()}T00:00:00)",
            schedule_expression_timezone="UTC",
            flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
            target=aws.scheduler.ScheduleTargetArgs(
                arn="arn:aws:scheduler:::aws-sdk:ec2:terminateInstances",
                role_arn=role.arn,
                input=pulumi.Output.json_dumps({"InstanceIds": [self.instance.id]}),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )


def certificate_by_dns(zone: str, domain: str) -> tuple[grants.Statement, ...]:
    """What certbot needs: to write one record of one zone, and to find the zone."""
    only = {
        "ForAllValues:StringEquals": {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": f"_acme-challenge.{domain}",
            "route53:ChangeResourceRecordSetsRecordTypes": "TXT",
        }
    }
    write = ("route53:ChangeResourceRecordSets",)
    return (
        grants.Statement("Challenge", write, (f"arn:aws:route53:::hostedzone/{zone}",), only),
        grants.Statement("Wait", ("route53:GetChange",), ("arn:aws:route53:::change/*",)),
        grants.Statement("Find", ("route53:ListHostedZones",), ("*",)),
    )
