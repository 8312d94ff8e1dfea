"""Revisions of schema `notifications`, oldest first by number."""
