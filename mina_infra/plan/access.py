"""Under which account pods run: one without a token and without any role, for no probe or init step calls the API."""

from __future__ import annotations

from mina_infra.plan import labels, names
from mina_infra.plan.objects import PlannedObject
from mina_infra.spec import TestnetSpec


def service_account(spec: TestnetSpec) -> PlannedObject:
    manifest = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": names.SERVICE_ACCOUNT,
            "namespace": spec.namespace,
            "labels": labels.of_testnet(spec),
        },
        "automountServiceAccountToken": False,
    }
    return PlannedObject(names.SERVICE_ACCOUNT_KEY, manifest, after=(names.NAMESPACE_KEY,))
