"""The policy pack starts here: `pulumi preview --policy-pack stacks/policy`. Rules: signalink_stacks.lib.policy."""

from signalink_stacks.pack import engine

engine.start()
