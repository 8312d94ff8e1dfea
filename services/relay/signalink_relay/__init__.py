"""The relay process: event log to Kafka, and channel heads to Redis. `app` puts the parts of the core together.

What relaying means is in `signalink_core.log.relay` and `signalink_core.log.heads`; this package owns the process.
"""
