"""Controls before any work: trusted proxy, host, size, origin, limits, headers; plain functions and one ASGI adapter.

Authentication is signalink_core.auth's, rights are the api's. The gateway calls the same functions before its 101.
"""
