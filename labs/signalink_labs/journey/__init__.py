"""Owns the way of one message through the platform: asked from each part, told as hops, judged where it is stuck.

`stores`, `nodes` ask; `hops` decides, purely; `collect` puts them together for the `signalink trace` command.
"""
