"""Owns the stack's encryption key: one, that everything at rest is encrypted with."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, slots=True)
class VaultArgs:
    """`alias`: how people find the key. Logs and alarms of the account may use it."""

    alias: str
    account: pulumi.Input[str]
    region: str
    tags: Mapping[str, str]
    window_days: int = 7
    """A key that was deleted can be had back for so long."""


class Vault(pulumi.ComponentResource):
    """A KMS key that turns yearly. The account decides by IAM who uses it; CloudWatch is let in by name."""

    def __init__(self, name: str, args: VaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Vault", name, None, opts)
        key = aws.kms.Key(
            f"{name}-key",
            description=f"Signalink: everything at rest of {args.alias}",
            enable_key_rotation=True,
            deletion_window_in_days=args.window_days,
            policy=pulumi.Output.json_dumps(key_policy(args.account, args.region)),
            tags={**args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.kms.Alias(
            f"{name}-alias",
            name=f"alias/{args.alias}",
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.key_arn = key.arn
        self.register_outputs({"keyArn": key.arn})


def key_policy(account: pulumi.Input[str], region: str) -> dict[str, object]:
    """A key's own policy. Its `*` is this key: KMS knows no other resource there."""
    root = pulumi.Output.concat("arn:aws:iam::", account, ":root")
    logs = pulumi.Output.concat("arn:aws:logs:", region, ":", account, ":log-group:*")
    uses = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"},
            {
                "Sid": "Logs",
                "Effect": "Allow",
                "Principal": {"Service": f"logs.{region}.amazonaws.com"},
                "Action": [*uses, "kms:DescribeKey"],
                "Resource": "*",
                "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}},
            },
            {
                "Sid": "Alarms",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            },
        ],
    }
