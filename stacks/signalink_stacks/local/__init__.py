"""Owns the local target: engines from packages, their secrets, and the supervisor that runs the platform on one machine.

Leaves what runs to the services' own `service.toml`, and how it is asked for to the `signalink` command.
"""
