"""Owns the targets: where and how the platform's parts run. Leaves the parts to their packages, the command to labs."""
