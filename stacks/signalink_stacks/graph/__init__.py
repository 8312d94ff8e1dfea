"""What the Pulumi program would make, without an engine, a plugin or a cluster: the graph of a stack, recorded.

Tests assert on it, and `signalink cost` prices it. What a provider would answer is echoed, not computed.
"""
