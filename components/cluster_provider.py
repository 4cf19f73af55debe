"""The Kubernetes provider of a stack, from the stack's own configuration and never from the environment."""

import os

import pulumi
import pulumi_kubernetes as kubernetes

from mina_infra.spec import parse_cluster


def cluster_provider(config: pulumi.Config) -> kubernetes.Provider:
    """The provider for `mina-infra:cluster: {context: ..., kubeconfig: PATH, identifier: ...}`.

    `identifier` (default: the context) says which cluster this is. Only a change of it replaces the objects; without
    it any change of the kubeconfig would replace everything, claims included
    (docs/facts.md: pulumi/cluster-identifier).
    """
    cluster = parse_cluster(config.require_object("cluster"))
    # Set by `mina-infra up` for one run after an interrupted one, once it has checked who owns what is there. Forced,
    # because the interrupted run's fields belong to a manager of another name: whatever differs would be a conflict.
    adopt = os.environ.get("MINA_INFRA_ADOPT") == "1" or None
    return kubernetes.Provider(
        "cluster",
        kubeconfig=os.path.expanduser(cluster.kubeconfig),
        context=cluster.context,
        cluster_identifier=cluster.identity,
        upsert_existing_objects=adopt,
        enable_patch_force=adopt,
    )
