"""signalink gateway."""
