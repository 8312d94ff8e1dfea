"""Owns what people do with a platform: the `signalink` command and the history checker. Leaves running it to stacks."""
