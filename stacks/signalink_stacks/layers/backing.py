"""The second layer: a Binding for Postgres, Redis and Kafka each, from whoever the stack says runs it."""

from collections.abc import Mapping

from signalink_stacks.components import cloud
from signalink_stacks.components.backing import ChartService, ExternalService
from signalink_stacks.components.contracts import BackingService, Binding
from signalink_stacks.components.operated import OperatorService
from signalink_stacks.components.room import Room
from signalink_stacks.lib.settings import Engine

Bindings = Mapping[Engine, Binding]


def deploy(room: Room) -> Bindings:
    return {
        engine: service(engine, settings.provider, room).provision(room.cluster, room.config)
        for engine, settings in room.config.bindings.items()
    }


def service(engine: Engine, provider: str, room: Room) -> BackingService:
    """Who runs it."""
    if provider == "aws":
        return cloud.aws().backing(engine)
    if provider == "operator":
        return OperatorService(engine, room)
    return ChartService(engine, room) if provider == "chart" else ExternalService(engine)
