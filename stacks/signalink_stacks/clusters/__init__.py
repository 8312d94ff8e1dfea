"""The platform on Kubernetes by its charts: a kind cluster made here, or any cluster that a kubeconfig names."""
