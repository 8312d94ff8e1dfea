"""Backups of the platform's Postgres on every target: the file, and what a log that came back must do first."""
