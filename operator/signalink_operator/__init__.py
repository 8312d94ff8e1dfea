"""signalink operator."""
