"""Migrations of schema `analytics`: windows, rollups, late events, presence, and where the consumer is.

One revision is one module in `versions` and one folder in `sql`; a released revision is never edited.
"""
