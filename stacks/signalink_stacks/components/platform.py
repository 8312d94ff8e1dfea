"""What the platform has in a cluster beside its charts: namespace, resource definitions, Secrets, Topic resources."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

SKIP: Final = {"pulumi.com/skipAwait": "true"}
FORCED: Final = {"pulumi.com/patchForce": "true"}
"""Taken over from whoever applied it before."""
READY: Final = {"pulumi.com/waitFor": "condition=Ready"}


@dataclass(frozen=True, slots=True)
class NamespaceArgs:
    """`labels` are the stack's own; the strictest Pod Security is always asked for."""

    name: str
    labels: Mapping[str, str]


class Namespace(pulumi.ComponentResource):
    """The platform's namespace: pods that are not `restricted` are refused in it."""

    resource: kubernetes.core.v1.Namespace

    def __init__(self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:platform:Namespace", name, None, opts)
        security = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        self.resource = kubernetes.core.v1.Namespace(
            f"{name}-namespace",
            metadata=ObjectMetaArgs(name=args.name, labels={**args.labels, **security}),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"name": args.name})


@dataclass(frozen=True, slots=True)
class DefinitionsArgs:
    """Custom resource definitions as they lie in operator/crds. `labels` tell of no stack: they outlive it."""

    documents: tuple[Mapping[str, Any], ...]
    labels: Mapping[str, str]


class Definitions(pulumi.ComponentResource):
    """The kinds Topic and Channel. They come before every chart, since Helm never renews what is in `crds/`.

    They are the cluster's: every stack in it brings those of its version, and none takes them away (decision 0131).
    """

    def __init__(self, name: str, args: DefinitionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:platform:Definitions", name, None, opts)
        for document in args.documents:
            self._define(name, document, args.labels)
        self.register_outputs({})

    def _define(self, name: str, document: Mapping[str, Any], labels: Mapping[str, str]) -> None:
        """One by one: a group does not hand `retain_on_delete` on with every provider."""
        said = document["metadata"]
        kubernetes.apiextensions.CustomResource(
            f"{name}-{said['name'].partition('.')[0]}",
            api_version=document["apiVersion"],
            kind=document["kind"],
            metadata=ObjectMetaArgs(
                name=said["name"],
                labels={**said.get("labels", {}), **labels},
                annotations={**said.get("annotations", {}), **FORCED},
            ),
            spec=copy.deepcopy(dict(document["spec"])),
            opts=pulumi.ResourceOptions(
                parent=self, retain_on_delete=True, aliases=[_in_group(f"{name}-crds", said["name"])]
            ),
        )


def _in_group(group: str, name: str) -> pulumi.Alias:
    """Where stacks made before decision 0131 have a definition: taken over, since deleting it deletes what is of it."""
    kind = "signalink:platform:Definitions$kubernetes:yaml/v2:ConfigGroup"
    parent = f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{kind}::{group}"
    return pulumi.Alias(name=f"{group}:{name}", parent=parent)


@dataclass(frozen=True, slots=True)
class WordsArgs:
    """`words`: key in the Secret -> its value, which is a secret of the stack."""

    namespace: str
    secret: str
    words: Mapping[str, pulumi.Output[str]]
    labels: Mapping[str, str]
    kind: str = "Opaque"


class Words(pulumi.ComponentResource):
    """One Secret. Its values are Pulumi secrets: encrypted in the state, hidden in previews."""

    def __init__(self, name: str, args: WordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:platform:Words", name, None, opts)
        self.resource = kubernetes.core.v1.Secret(
            f"{name}-secret",
            metadata=ObjectMetaArgs(name=args.secret, namespace=args.namespace, labels=dict(args.labels)),
            type=args.kind,
            string_data=pulumi.Output.secret(dict(args.words)),
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["data", "stringData"]),
        )
        self.name = args.secret
        self.register_outputs({"name": args.secret})


@dataclass(frozen=True, slots=True)
class TopicsArgs:
    """`topics`: name -> spec. `wait`: until the operator says Ready."""

    namespace: str
    topics: Mapping[str, Mapping[str, Any]]
    labels: Mapping[str, str]
    wait: bool


class Topics(pulumi.ComponentResource):
    """The platform's Topic resources. They depend on the operator: it must still be there when they go."""

    def __init__(self, name: str, args: TopicsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:platform:Topics", name, None, opts)
        for topic, spec in args.topics.items():
            kubernetes.apiextensions.CustomResource(
                f"{name}-{topic}",
                api_version="signalink.dev/v1",
                kind="Topic",
                metadata=ObjectMetaArgs(
                    name=topic,
                    namespace=args.namespace,
                    labels=dict(args.labels),
                    annotations=READY if args.wait else SKIP,
                ),
                spec=dict(spec),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"names": sorted(args.topics)})
