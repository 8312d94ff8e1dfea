"""The one library every Signalink process shares; it starts no process and imports no service.

Modules here need only the base dependencies; what needs an extra (redis, httpx, jwt, limits, uvicorn) is imported by
the service that has that extra.
"""
