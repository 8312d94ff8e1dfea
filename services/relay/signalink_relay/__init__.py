"""signalink relay."""
