"""Owns the `signalink` command: one module per verb, `--json` everywhere, exit codes that say what kind of end it was.

    0 done   1 failed   2 inconclusive   3 the environment is broken   64 wrong use

What a verb does lives in the package it belongs to; here are arguments, output and exit codes only.
"""

from signalink_labs.cli.app import main

__all__ = ["main"]
