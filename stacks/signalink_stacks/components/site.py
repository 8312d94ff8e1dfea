"""What every component of one stack is given: its configuration, its charts, its secrets, its cluster, its options."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from signalink_stacks.components.contracts import ClusterOutputs
from signalink_stacks.components.platform import Words, WordsArgs
from signalink_stacks.components.release import Release, ReleaseArgs
from signalink_stacks.lib import chartfolder, chartvalues, imagerefs, tags
from signalink_stacks.lib.settings import Config


@dataclass(frozen=True, slots=True)
class Materials:
    """What the program has before it makes anything. `charts`: whole ones; `words`: a table of secrets, itself one."""

    config: Config
    root: Path
    charts: Path
    words: pulumi.Output[Mapping[str, str]]
    version: str

    def word(self, name: str) -> pulumi.Output[str]:
        """One secret, marked as one."""
        return pulumi.Output.secret(self.words.apply(lambda every: every[name]))


@dataclass(frozen=True, slots=True)
class Site:
    """A namespace of a cluster in which components put things. `after`: what must be there before any of them."""

    materials: Materials
    cluster: ClusterOutputs
    after: tuple[pulumi.Resource, ...] = ()

    @property
    def config(self) -> Config:
        return self.materials.config

    @property
    def labels(self) -> dict[str, str]:
        return tags.labels(self.config)

    def options(self, depends_on: Iterable[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        """The provider, never a default one; gone without asking when the cluster itself goes."""
        return pulumi.ResourceOptions(
            providers={"kubernetes": self.cluster.provider},
            depends_on=[*self.after, *depends_on],
            transformations=[self._gone_with_cluster] if self.cluster.resource else None,
        )

    def _gone_with_cluster(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        """Whatever is in the cluster goes with it; a component's own option would not reach what is below it."""
        more = pulumi.ResourceOptions(deleted_with=self.cluster.resource)
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, more))

    def secret(self, name: str, secret: str, words: Mapping[str, str]) -> Words:
        """A Secret from secrets of the stack. `words`: key in it -> name of the secret."""
        values = {key: self.materials.word(word) for key, word in words.items()}
        return Words(name, WordsArgs(self.cluster.namespace, secret, values, self.labels), self.options())

    def release(
        self,
        chart: str,
        own: Mapping[str, Any],
        bindings: Mapping[str, Any],
        depends_on: Iterable[pulumi.Resource] = (),
    ) -> Release:
        """One chart with its values, of which `own` are the program's."""
        small = chartfolder.small(self.materials.root)
        arguments = ReleaseArgs(
            folder=str(self.materials.charts / chart),
            chart=chart,
            release=self.config.release,
            namespace=self.cluster.namespace,
            values=chartvalues.of(
                self.config,
                chart,
                chartvalues.merged({"global": {"imageRegistry": self.cluster.registry}}, own),
                bindings,
                small,
            ),
            wait=self.config.cluster.wait,
        )
        return Release(chart, arguments, self.options(depends_on))

    def image(self, repository: str) -> pulumi.Output[str]:
        """By which reference an image of ours is run where no chart says it; from the charts' registry."""
        known = (self.config.images, repository, self.materials.version)
        named = pulumi.Output.from_input(self.cluster.registry)
        return named.apply(lambda registry: imagerefs.reference(known[0], registry, *known[1:]))

    def host(self, part: str) -> str:
        """The name by which anything in the cluster reaches a Service of a chart."""
        return f"{self.config.release}-{part}.{self.cluster.namespace}.svc.cluster.local"
