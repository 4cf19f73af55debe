"""The genesis artefacts of an era as objects of their own: one shared claim, filled once by a Job, or copies of a disk.

How daemons get at them, from these or from another source, is `artefacts.py`.
"""

from __future__ import annotations

from mina_infra.plan import artefacts, labels, names, timeouts
from mina_infra.plan.claims import genesis_copy, shared_claim
from mina_infra.plan.common import Common
from mina_infra.plan.guard import ANOTHER_GENESIS
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import Manifest, PlannedObject
from mina_infra.storage.sources import copy_of

_TARGET = "/volume"


def genesis(common: Common) -> tuple[PlannedObject, ...]:
    """The shared claim and its Job, or the copies of a snapshot; nothing with a source that needs no object of ours."""
    if common.shared_volume is None:
        copies = common.volumes.copies()
        return tuple(genesis_copy(common.spec, each.copy, each.volume) for each in copies if each.copy)
    spec, volume = common.spec, common.shared_volume
    kept = tuple(shared_claim(spec, volume, era) for era in spec.kept_eras)
    return shared_claim(spec, volume, spec.era), _job(common), *kept


def keys(common: Common, node: Node) -> tuple[str, ...]:
    """The objects of ours that a daemon reads the artefacts from."""
    if common.shared_volume is not None:
        return names.genesis_claim_key(common.spec.era), names.GENESIS_JOB_KEY
    if common.spec.genesis.ledger.source == "disk-copies":
        return (names.genesis_copy_key(copy_of(node.group, node.index), common.spec.era),)
    return ()


def _job(common: Common) -> PlannedObject:
    """Runs to its end before any daemon starts; run again it finds the marker and changes nothing.

    No time to live: the engine owns it, and a vanished Job would run again. Other failures than another genesis are
    tried again, disruptions without being counted (docs/facts.md: kubernetes/jobs).
    """
    spec = common.spec
    own = {**labels.of_testnet(spec), labels.JOB: "genesis-ledger", labels.ERA: str(spec.era)}
    deadline = timeouts.genesis(spec)
    template = {"metadata": {"labels": own}, "spec": _pod(common)}
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names.genesis_job(spec.era, template),
            "namespace": spec.namespace,
            "labels": own,
            "annotations": {"pulumi.com/timeoutSeconds": str(deadline)},
        },
        "spec": {
            "backoffLimit": 3,
            "activeDeadlineSeconds": deadline,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onExitCodes": {"containerName": "fill", "operator": "In", "values": [ANOTHER_GENESIS]},
                    },
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ]
            },
            "template": template,
        },
    }
    after = (names.NAMESPACE_KEY, names.SERVICE_ACCOUNT_KEY, names.genesis_claim_key(spec.era))
    return PlannedObject(names.GENESIS_JOB_KEY, manifest, after=after, timeout_s=deadline)


def _pod(common: Common) -> Manifest:
    spec = common.spec
    assert common.shared_volume is not None
    ledger = spec.genesis.ledger
    container = {
        "name": "fill",
        "image": ledger.image,
        "command": ["sh", "-ceu", artefacts.COPY],
        "env": artefacts.environment(common, _TARGET),
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "volumeMounts": [{"name": "genesis", "mountPath": _TARGET}],
    }
    claim = names.shared_claim(common.shared_volume.kind, spec.era)
    return {
        "serviceAccountName": names.SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "genesis", "persistentVolumeClaim": {"claimName": claim}}],
    }
