"""Event-time windows over the event log: figures of messages, channels and users, with the api that serves them."""

SCHEMA = "analytics"
GROUP = "signalink-analytics"
"""The consumer group; its places are rows of `analytics.offsets`."""
