"""The platform in containers: building our images, pinning all images, and compose.yaml. No Kubernetes here."""
