"""signalink stacks."""
