"""Service tokens in Secrets of Kubernetes: `keeping` says when and how, `__main__` is the Job's command."""
