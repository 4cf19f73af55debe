"""An offline stand-in for the official Kubernetes provider of Pulumi, for the embedded cluster only.

The engine attaches it with `PULUMI_DEBUG_PROVIDERS=kubernetes:PORT`. It knows the kinds that this project uses and
follows the official provider (4.34.2) in what it compares, replaces, waits for and says; tests/recorded holds that
provider's own answers, and every one of them is replayed.
"""
