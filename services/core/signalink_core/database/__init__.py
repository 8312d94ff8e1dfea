"""Postgres: roles, migrations and pools. Owns how processes reach it; the tables belong to the services."""
