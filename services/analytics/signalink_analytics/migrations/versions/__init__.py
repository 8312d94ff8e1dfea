"""Revisions of schema `analytics`, oldest first by number."""
