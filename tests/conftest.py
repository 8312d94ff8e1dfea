"""Owns what every test may ask for: the real engines, and the account of which tests used them."""

from signalink_stacks.local.testing import (
    database,
    engine_folder,
    kafka,
    postgres,
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_sessionfinish,
    pytest_terminal_summary,
    topics,
    valkey,
    valkey_server,
)

__all__ = [
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

collect_ignore = ["graph"]
"""Tests of the Pulumi program: `make e2e NAME=graph` runs them, where Pulumi is."""
