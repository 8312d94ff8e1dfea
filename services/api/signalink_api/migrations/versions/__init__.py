"""Revisions of schema `messaging`, oldest first by number."""
