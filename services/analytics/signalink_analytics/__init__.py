"""Event-time windows over the event log: figures of messages, channels and users, with the api that serves them."""
