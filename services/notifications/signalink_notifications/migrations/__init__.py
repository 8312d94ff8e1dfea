"""Migrations of schema `notifications`: wishes, plans, the outbox, deliveries, consumers' places.

One revision is one module in `versions` and one folder in `sql`; a released revision is never edited.
"""
