"""Under which account pods run: one without a token and without any role, for no probe or init step calls the API."""

from __future__ import annotations

from mina_infra.plan import labels, names
from mina_infra.plan.objects import PlannedObject
from mina_infra.spec import TestnetSpec


def service_account(spec: TestnetSpec) -> PlannedObject:
    """With a bucket as source, the account acts as the Google service account that may read it."""
    identity = spec.genesis.ledger.workload_identity
    manifest = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": names.SERVICE_ACCOUNT,
            "namespace": spec.namespace,
            "labels": labels.of_testnet(spec),
            "annotations": {} if identity is None else {"iam.gke.io/gcp-service-account": identity},
        },
        "automountServiceAccountToken": False,
    }
    return PlannedObject(names.SERVICE_ACCOUNT_KEY, manifest, after=(names.NAMESPACE_KEY,))
