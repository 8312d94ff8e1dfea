"""Posting, reading and changing messages, and a channel's events."""
