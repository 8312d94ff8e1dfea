"""signalink api."""
