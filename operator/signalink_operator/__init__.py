"""The operator: brings Kafka topics to what Topic manifests say. `python -m signalink_operator apply` does it once.

Layers, each importing only what stands below it: apply > adapters > plans > model > settings.
The Kubernetes side (custom resources, status, leases) is not here; it will drive the same plans and adapters.
"""
