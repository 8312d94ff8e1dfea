"""Writes the Helm charts' generated files from `service.toml`, images.yaml and the shared schemas (`make charts`).

Owns values, schemas, READMEs, facts and the one-line templates of charts/; leaves what they render to charts/lib.
"""
