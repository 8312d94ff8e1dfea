"""From a requested notification to the provider's receipt: deliveries, who sends them when, retries, dead letters."""
