"""The Kubernetes provider of a stack, from the stack's own configuration and never from the environment."""

import os
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

KEYS = {"kubeconfig", "context", "identifier"}


def cluster_provider(config: pulumi.Config) -> kubernetes.Provider:
    """The provider for `mina-infra:cluster: {context: ..., kubeconfig: PATH, identifier: ...}`.

    `identifier` (default: the context) says which cluster this is. Only a change of it replaces the objects; without
    it any change of the kubeconfig would replace everything, claims included (facts: pulumi 5.5).
    """
    cluster: dict[str, Any] = config.require_object("cluster")
    unknown = set(cluster) - KEYS
    if unknown or "context" not in cluster:
        wrong = f"unknown key {', '.join(sorted(unknown))}" if unknown else "'context' is missing"
        raise ValueError(
            f"mina-infra:cluster: {wrong}. Write {{context: NAME}}, with kubeconfig: PATH where the file is not "
            "~/.kube/config, and identifier: TEXT where the context's name may change."
        )
    return kubernetes.Provider(
        "cluster",
        kubeconfig=os.path.expanduser(cluster.get("kubeconfig", "~/.kube/config")),
        context=cluster["context"],
        cluster_identifier=cluster.get("identifier", cluster["context"]),
        # Set by `mina-infra up` for one run after an interrupted one, once it has checked who owns what is there.
        upsert_existing_objects=os.environ.get("MINA_INFRA_ADOPT") == "1" or None,
    )
