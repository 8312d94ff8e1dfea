"""The second layer: a Binding for Postgres, Redis and Kafka each, from whoever the stack says runs it."""

from collections.abc import Mapping

from signalink_stacks.components import administered, cloud
from signalink_stacks.components.backing import ChartService, ExternalService
from signalink_stacks.components.contracts import BackingService, Binding
from signalink_stacks.components.operated import OperatorService
from signalink_stacks.components.site import Site
from signalink_stacks.lib.settings import Engine

Bindings = Mapping[Engine, Binding]


def deploy(site: Site) -> Bindings:
    return {
        engine: administered.ready(site, service(engine, settings.provider, site).provision(site.cluster, site.config))
        for engine, settings in site.config.bindings.items()
    }


def service(engine: Engine, provider: str, site: Site) -> BackingService:
    """Who runs it."""
    if provider == "aws":
        return cloud.aws().backing(engine)
    if provider == "operator":
        return OperatorService(engine, site)
    return ChartService(engine, site) if provider == "chart" else ExternalService(engine)
