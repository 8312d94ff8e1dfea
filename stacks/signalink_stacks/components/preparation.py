"""A Job of our image that prepares an engine somebody else runs: roles, database, rights (decision 0094)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from signalink_stacks.components.platform import SKIP


@dataclass(frozen=True, slots=True)
class PreparationArgs:
    """`words` are arguments of `python -m signalink_core.provision`; `secret` is mounted as files.

    `account`: a service account that is made for it, for what a role of the cloud lets in. `authority`: a ConfigMap of
    certificates, which are found beside the secrets.
    """

    namespace: str
    name: str
    image: pulumi.Input[str]
    pull: str
    words: tuple[pulumi.Input[str], ...]
    env: Mapping[str, pulumi.Input[str]]
    labels: Mapping[str, str]
    wait: bool
    secret: str = ""
    authority: str = ""
    account: str = ""


class Preparation(pulumi.ComponentResource):
    """A Job never changes: its name carries a hash of what it does, so that a new content is a new Job."""

    def __init__(self, name: str, args: PreparationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:backing:Preparation", name, None, opts)
        own = ObjectMetaArgs(name=args.account, namespace=args.namespace, labels=dict(args.labels))
        accounts = [_account(name, own, self)] if args.account else []
        kubernetes.batch.v1.Job(
            f"{name}-job",
            metadata=ObjectMetaArgs(
                name=pulumi.Output.concat(args.name, "-", pulumi.Output.from_input(_content(args)).apply(_digest)),
                namespace=args.namespace,
                labels=dict(args.labels),
                annotations=None if args.wait else SKIP,
            ),
            spec=_spec(args),
            opts=pulumi.ResourceOptions(parent=self, depends_on=accounts),
        )
        self.register_outputs({})


def _content(args: PreparationArgs) -> dict[str, Any]:
    found = {each.name: getattr(args, each.name) for each in fields(args)}
    return found | {"words": list(args.words), "env": dict(args.env)}


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def _account(name: str, meta: ObjectMetaArgs, parent: pulumi.Resource) -> pulumi.Resource:
    return kubernetes.core.v1.ServiceAccount(
        f"{name}-account",
        metadata=meta,
        automount_service_account_token=False,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _secrets(args: PreparationArgs) -> kubernetes.core.v1.VolumeArgs:
    """One folder of what it reads."""
    core = kubernetes.core.v1
    sources = []
    if args.secret:
        sources.append(core.VolumeProjectionArgs(secret=core.SecretProjectionArgs(name=args.secret)))
    if args.authority:
        sources.append(core.VolumeProjectionArgs(config_map=core.ConfigMapProjectionArgs(name=args.authority)))
    return core.VolumeArgs(
        name="secrets", projected=core.ProjectedVolumeSourceArgs(default_mode=0o440, sources=sources)
    )


def _spec(args: PreparationArgs) -> kubernetes.batch.v1.JobSpecArgs:
    core = kubernetes.core.v1
    pod = core.PodSpecArgs(
        restart_policy="OnFailure",
        service_account_name=args.account or None,
        automount_service_account_token=False,
        security_context=core.PodSecurityContextArgs(
            run_as_non_root=True,
            run_as_user=10001,
            run_as_group=10001,
            fs_group=10001,
            seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
        ),
        containers=[_container(args)],
        volumes=[
            core.VolumeArgs(name="tmp", empty_dir=core.EmptyDirVolumeSourceArgs(size_limit="64Mi")),
            _secrets(args),
        ],
    )
    template = core.PodTemplateSpecArgs(metadata=ObjectMetaArgs(labels=dict(args.labels)), spec=pod)
    return kubernetes.batch.v1.JobSpecArgs(backoff_limit=10, active_deadline_seconds=900, template=template)


def _container(args: PreparationArgs) -> kubernetes.core.v1.ContainerArgs:
    core = kubernetes.core.v1
    asked = {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "32Mi"}
    most = {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "256Mi"}
    return core.ContainerArgs(
        name="provision",
        image=args.image,
        image_pull_policy=args.pull,
        command=["python", "-m", "signalink_core.provision"],
        args=list(args.words),
        env=[core.EnvVarArgs(name=key, value=value) for key, value in args.env.items()],
        resources=core.ResourceRequirementsArgs(requests=asked, limits=most),
        security_context=core.SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=core.CapabilitiesArgs(drop=["ALL"]),
        ),
        volume_mounts=[
            core.VolumeMountArgs(name="tmp", mount_path="/tmp"),  # noqa: S108 - the container's own
            core.VolumeMountArgs(name="secrets", mount_path="/run/secrets/signalink", read_only=True),
        ],
    )
