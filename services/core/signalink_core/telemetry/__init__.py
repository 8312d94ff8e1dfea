"""Logs, metrics and trace context of every process; the only package that imports structlog and prometheus_client."""
