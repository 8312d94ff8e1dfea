"""The policy pack's start: `pulumi preview --policy-pack stacks/policy`. The rules are in signalink_stacks.lib.policy."""

from signalink_stacks.pack import engine

engine.start()
