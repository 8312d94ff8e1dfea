"""Channels and who is in them."""
