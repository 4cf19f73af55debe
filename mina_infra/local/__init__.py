"""The embedded world: tools, control plane, nodes, volume provisioner, offline Kubernetes provider."""
