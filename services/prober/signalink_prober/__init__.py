"""Measures from outside what a hung part cannot report: outbox age, lag, canary, reconciliation."""
