"""Twins of the outer worlds, for tests: a Kubernetes API, the api's admin endpoint, and Kafka's topics in memory."""

from signalink_operator.testing.channels import AdminApi, Platform
from signalink_operator.testing.cluster import Cluster
from signalink_operator.testing.topics import MemoryTopics

__all__ = ["AdminApi", "Cluster", "MemoryTopics", "Platform"]
