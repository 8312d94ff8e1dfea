"""The HTTP edge that every feature shares: who calls, what a refusal looks like, how routes are documented."""
