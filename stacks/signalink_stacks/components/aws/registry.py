"""Owns the registry: a repository per image that a pod can run, whose tags never move but for those of signatures."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from signalink_stacks.lib import registry


@dataclass(frozen=True, slots=True)
class RegistryArgs:
    """`prefix`: what the names here begin with; `names`: repository of an image -> its name (`lib.registry`)."""

    prefix: str
    names: Mapping[str, str]
    key_arn: pulumi.Input[str]
    keep: bool
    """Refuse to delete repositories with images in them."""
    tags: Mapping[str, str]


class Registry(pulumi.ComponentResource):
    """ECR repositories. `address`, with an image's repository behind it, is where that is pushed and pulled from."""

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Registry", name, None, opts)
        self.urls: dict[str, pulumi.Output[str]] = {}
        for repository, called in args.names.items():
            made = self._repository(f"{name}-{repository.replace('/', '-')}", called, args)
            self.urls[repository] = made.repository_url
        first = next(iter(self.urls.values()), pulumi.Output.from_input(""))
        host = first.apply(lambda url: url.partition("/")[0])
        self.address = pulumi.Output.concat(host, "/", args.prefix)
        self.register_outputs({"address": self.address})

    def _repository(self, part: str, called: str, args: RegistryArgs) -> aws.ecr.Repository:
        made = aws.ecr.Repository(
            part,
            name=called,
            image_tag_mutability="IMMUTABLE_WITH_EXCLUSION",
            image_tag_mutability_exclusion_filters=[
                aws.ecr.RepositoryImageTagMutabilityExclusionFilterArgs(
                    filter=registry.SIGNATURES, filter_type="WILDCARD"
                )
            ],
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=args.key_arn)
            ],
            force_delete=not args.keep,
            tags={**args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.ecr.LifecyclePolicy(
            f"{part}-lifecycle",
            repository=made.name,
            policy=pulumi.Output.json_dumps(registry.lifecycle()),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return made
