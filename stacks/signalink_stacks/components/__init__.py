"""Components of the Pulumi program, each a `ComponentResource` with typed arguments; layers put them together.

A component imports `lib` and components. Modules below `aws/` are imported only by who needs them: they are large.
"""
