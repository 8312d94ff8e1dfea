"""Owns the local target: engines from packages, their secrets, the supervisor of one machine's platform.

Leaves what runs to the services' own `service.toml`, and how it is asked for to the `signalink` command.
"""
