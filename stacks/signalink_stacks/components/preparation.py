"""A Job of our image that prepares an engine somebody else runs: roles, database, rights (decision 0094)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from signalink_stacks.components.platform import SKIP


@dataclass(frozen=True, slots=True)
class PreparationArgs:
    """`words` are arguments of `python -m signalink_core.provision`; `secret` is mounted as files."""

    namespace: str
    name: str
    image: str
    pull: str
    words: tuple[str, ...]
    env: Mapping[str, str]
    secret: str
    labels: Mapping[str, str]
    wait: bool


class Preparation(pulumi.ComponentResource):
    """A Job never changes: its name carries a hash of what it does, so that a new content is a new Job."""

    def __init__(self, name: str, args: PreparationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:backing:Preparation", name, None, opts)
        digest = hashlib.sha256(json.dumps(asdict(args), sort_keys=True).encode()).hexdigest()[:8]
        kubernetes.batch.v1.Job(
            f"{name}-job",
            metadata=ObjectMetaArgs(
                name=f"{args.name}-{digest}",
                namespace=args.namespace,
                labels=dict(args.labels),
                annotations=None if args.wait else SKIP,
            ),
            spec=_spec(args),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def _spec(args: PreparationArgs) -> kubernetes.batch.v1.JobSpecArgs:
    core = kubernetes.core.v1
    pod = core.PodSpecArgs(
        restart_policy="OnFailure",
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
            core.VolumeArgs(
                name="secrets", secret=core.SecretVolumeSourceArgs(secret_name=args.secret, default_mode=0o440)
            ),
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
