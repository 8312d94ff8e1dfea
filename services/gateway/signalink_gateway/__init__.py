"""The gateway: WebSockets, fan-out, recovery. `app` builds it; nothing of it is imported by other packages."""
