"""Owns the answer to "can a platform run here?": small pure rules over a view of this machine, each with its fix.

`host` is the view, `probe` gathers it, `checkup` runs the rules of a target. What is found is mended by nobody here.
"""
