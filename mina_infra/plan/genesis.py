"""The genesis artefacts of an era: one shared claim, filled once by a Job, mounted read-only by every daemon."""

from __future__ import annotations

from mina_infra.plan import labels, names
from mina_infra.plan.claims import shared_claim
from mina_infra.plan.common import Common
from mina_infra.plan.guard import ANOTHER_GENESIS, MARKER, genesis_env
from mina_infra.plan.objects import Manifest, PlannedObject

SOURCE = "/genesis"
"""Directory of the ledger image that is copied: genesis_ledger.json and, as far as they exist, proof and epoch ledgers.
The image needs sh, cp, find and sha256sum beside it, for example from busybox."""

_TARGET = "/volume"
DEADLINE_SECONDS = 3600
"""Of the whole Job, waiting for its volume included: a file backend takes minutes to appear."""

# Files before marker, so an interrupted copy is copied again; the digest is taken from the volume, not from the image.
_SCRIPT = f"""\
marker="{_TARGET}/{MARKER}"
wanted="{{\\"digest\\": \\"$GENESIS_DIGEST\\", \\"era\\": $ERA}}"
if [ -e "$marker" ]; then
  found="$(cat "$marker")"
  if [ "$found" = "$wanted" ]; then
    echo "genesis ledger: already there, $found"
    exit 0
  fi
  echo "genesis ledger: the claim holds another genesis. found $found, wanted $wanted. A new genesis is a new era." >&2
  exit {ANOTHER_GENESIS}
fi
cp -R {SOURCE}/. {_TARGET}/
digest="sha256:$(cd {_TARGET} && find . -type f ! -name '{MARKER}*' ! -path './lost+found/*' -print0 \
| LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1)"
if [ -n "$LEDGER_DIGEST" ] && [ "$digest" != "$LEDGER_DIGEST" ]; then
  echo "genesis ledger: the files have digest $digest, the document wants $LEDGER_DIGEST" >&2
  exit {ANOTHER_GENESIS}
fi
echo "$wanted" > "$marker.new"
mv "$marker.new" "$marker"
echo "genesis ledger: filled, files $digest, genesis $wanted"
"""


def genesis(common: Common) -> tuple[PlannedObject, ...]:
    """The shared claim and its Job; nothing when the ledger is inside the runtime config."""
    if common.shared_volume is None:
        return ()
    return shared_claim(common.spec, common.shared_volume), _job(common)


def mount(common: Common, path: str) -> tuple[Manifest, Manifest] | None:
    """A daemon's (volume, mount) of the artefacts, both read-only; None when there is no shared claim."""
    if common.shared_volume is None:
        return None
    claim = names.shared_claim(common.shared_volume.kind, common.spec.era)
    volume = {"name": "genesis", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
    return volume, {"name": "genesis", "mountPath": path, "readOnly": True}


def _job(common: Common) -> PlannedObject:
    """Runs to its end before any daemon starts; run again it finds the marker and changes nothing.

    No time to live: the engine owns it, and a vanished Job would run again. Other failures than another genesis are
    tried again, disruptions without being counted (docs/facts.md: kubernetes/jobs).
    """
    spec = common.spec
    own = {**labels.of_testnet(spec), labels.JOB: "genesis-ledger", labels.ERA: str(spec.era)}
    template = {"metadata": {"labels": own}, "spec": _pod(common)}
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": names.genesis_job(spec.era, template),
            "namespace": spec.namespace,
            "labels": own,
            "annotations": {"pulumi.com/timeoutSeconds": str(DEADLINE_SECONDS)},
        },
        "spec": {
            "backoffLimit": 3,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
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
    after = (names.NAMESPACE_KEY, names.SERVICE_ACCOUNT_KEY, names.GENESIS_CLAIM_KEY)
    return PlannedObject(names.GENESIS_JOB_KEY, manifest, after=after)


def _pod(common: Common) -> Manifest:
    spec = common.spec
    assert common.shared_volume is not None
    ledger = spec.genesis.ledger
    container = {
        "name": "fill",
        "image": ledger.image,
        "command": ["sh", "-ceu", _SCRIPT],
        "env": [*genesis_env(common), {"name": "LEDGER_DIGEST", "value": ledger.digest or ""}],
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
