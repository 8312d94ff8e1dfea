"""What a pass does for each kind of resource, between the plans that decide and the adapters that act."""
