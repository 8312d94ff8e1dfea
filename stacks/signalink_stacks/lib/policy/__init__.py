"""The rules that every stack is held to, as pure functions: what Pulumi's policy pack asks before anything is made.

`thing` says what a rule sees, `table` lists the rules with their codes; stacks/policy gives them to the engine.
"""
