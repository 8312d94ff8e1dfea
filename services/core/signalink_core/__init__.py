"""signalink core."""
