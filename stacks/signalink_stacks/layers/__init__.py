"""Layers of the Pulumi program in their order: cluster, backing, platform, apps, edge.

Each is one `deploy(config, previous) -> outputs` that puts components together; what a thing is made of is theirs.
"""
