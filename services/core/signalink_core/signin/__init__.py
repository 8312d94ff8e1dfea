"""Signing in by a role instead of a password: short-lived tokens, made off the loop and renewed by the clock.

Owns the tokens, who makes them, and when a connection has to say again who it is. Where that is done is a setting.
"""
