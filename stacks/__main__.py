"""The Pulumi program, run by `pulumi up -s STACK`: what a stack says is in config/, what it is made of in layers."""

import pulumi

from signalink_stacks.layers import program

for name, value in program.run().items():
    pulumi.export(name, value)
