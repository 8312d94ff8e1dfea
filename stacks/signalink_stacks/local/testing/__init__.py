"""Owns the pytest fixtures that put real engines under tests, and the summary that says which engine each test used.

`tests/conftest.py` imports these names. Engines start when first asked for, once per session (per xdist worker), with
data on tmpfs where there is one, and with scram, ACL users and SASL on as in the product.
"""

from signalink_stacks.local.testing.brokers import Brokers, Topics, kafka, topics
from signalink_stacks.local.testing.databases import Database, PostgresServer, database, postgres
from signalink_stacks.local.testing.folders import engine_folder
from signalink_stacks.local.testing.summary import (
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_sessionfinish,
    pytest_terminal_summary,
)
from signalink_stacks.local.testing.valkeys import ValkeyServer, valkey, valkey_server

__all__ = [
    "Brokers",
    "Database",
    "PostgresServer",
    "Topics",
    "ValkeyServer",
    "database",
    "engine_folder",
    "kafka",
    "postgres",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "topics",
    "valkey",
    "valkey_server",
]
