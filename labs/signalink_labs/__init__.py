"""signalink labs."""
