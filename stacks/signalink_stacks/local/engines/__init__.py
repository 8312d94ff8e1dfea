"""Owns the real engines of the local target: Postgres, Valkey and Apache Kafka, run from packages as child processes.

Leaves supervision to `signalink_stacks.local.supervisor`; tests start the same engines through the same class.
"""

from signalink_stacks.local.engines.base import Engine, EngineFailed, Launch
from signalink_stacks.local.engines.kafka import KafkaEngine
from signalink_stacks.local.engines.postgres import PostgresEngine
from signalink_stacks.local.engines.valkey import ValkeyEngine

__all__ = ["Engine", "EngineFailed", "KafkaEngine", "Launch", "PostgresEngine", "ValkeyEngine"]
