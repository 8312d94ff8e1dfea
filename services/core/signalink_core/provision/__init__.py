"""Preparing engines that somebody else runs (a chart, compose): accounts and rights, from secrets in files.

`python -m signalink_core.provision COMMAND` is a job or an init container; each command can be repeated. The local
target does the same work in its own engines.
"""
