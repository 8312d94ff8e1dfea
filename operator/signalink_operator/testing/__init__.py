"""Twins of the two outer worlds, for tests: a Kubernetes API over HTTP, and Kafka's topics in memory."""

from signalink_operator.testing.cluster import Cluster
from signalink_operator.testing.topics import MemoryTopics

__all__ = ["Cluster", "MemoryTopics"]
