"""How a daemon gets at the genesis artefacts, for each source: its volume, its mount and the step that looks first.

What a source holds is known before a daemon reads it: an image by the digest in its reference, the shared claim by the
Job that filled it, everything else by a step in each node that takes the digest of the files.
"""

from __future__ import annotations

from mina_infra.plan import names
from mina_infra.plan.common import Common
from mina_infra.plan.guard import ANOTHER_GENESIS, MARKER, genesis_env
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import Manifest
from mina_infra.plan.workload import Workload
from mina_infra.storage.sources import copy_of

SOURCE = "/genesis"
"""Directory of the ledger image that is copied: genesis_ledger.json and, as far as they exist, proof and epoch ledgers.
The image needs sh, cp, find and sha256sum beside it, for example from busybox."""

VOLUME = "genesis"

_DIGEST = f"""\
digest="sha256:$(cd "$TARGET" && find . -type f ! -name '{MARKER}*' ! -path './lost+found/*' -print0 \
| LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1)"
if [ -n "$LEDGER_DIGEST" ] && [ "$digest" != "$LEDGER_DIGEST" ]; then
  echo "genesis ledger: the files have digest $digest, the document wants $LEDGER_DIGEST" >&2
  exit {ANOTHER_GENESIS}
fi
"""

# Files before marker, so an interrupted copy is copied again; the digest is taken from the volume, not from the image.
COPY = f"""\
marker="$TARGET/{MARKER}"
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
mkdir -p "$TARGET"
cp -R {SOURCE}/. "$TARGET"/
{_DIGEST}\
echo "$wanted" > "$marker.new"
mv "$marker.new" "$marker"
echo "genesis ledger: filled, files $digest, genesis $wanted"
"""
"""Copies the artefacts of the image to $TARGET, once. Idempotent; stops before a volume of another genesis."""

LOOK = f"""\
{_DIGEST}\
echo "genesis ledger: files $digest, as wanted"
"""
"""Stops a node whose source holds other files than the document says."""


def environment(common: Common, target: str) -> list[Manifest]:
    """What both scripts want to know."""
    return [
        {"name": "TARGET", "value": target},
        *genesis_env(common),
        {"name": "LEDGER_DIGEST", "value": common.spec.genesis.ledger.digest or ""},
    ]


def add(workload: Workload, common: Common, node: Node, path: str) -> None:
    """The artefacts into a daemon's pod, below `path` of its first container; read-only, unless they are its own."""
    ledger = common.spec.genesis.ledger
    if ledger.source == "config-map":
        return
    if ledger.source == "init-copy":
        workload.init_containers.append(_copy(common, path))
        return
    mount = {"name": VOLUME, "mountPath": path, "readOnly": True}
    if ledger.source == "image":
        mount["subPath"] = SOURCE.strip("/")
    if ledger.source == "bucket":
        workload.annotations["gke-gcsfuse/volumes"] = "true"
    if ledger.source != "shared-claim" and ledger.digest:
        workload.init_containers.append(_look(common, mount))
    workload.volumes.append({"name": VOLUME, **_volume(common, node)})
    workload.containers[0]["volumeMounts"].append(mount)


def _volume(common: Common, node: Node) -> Manifest:
    ledger, era = common.spec.genesis.ledger, common.spec.era
    if ledger.source == "image":
        return {"image": {"reference": ledger.image, "pullPolicy": "IfNotPresent"}}
    if ledger.source == "bucket":
        attributes = {"bucketName": ledger.bucket, "mountOptions": "implicit-dirs"}
        return {"csi": {"driver": "gcsfuse.csi.storage.gke.io", "readOnly": True, "volumeAttributes": attributes}}
    if ledger.source == "existing-claim":
        claim = str(ledger.claim)
    elif ledger.source == "disk-copies":
        claim = names.genesis_copy(copy_of(node.group, node.index), era)
    else:
        assert common.shared_volume is not None
        claim = names.shared_claim(common.shared_volume.kind, era)
    return {"persistentVolumeClaim": {"claimName": claim, "readOnly": True}}


def _copy(common: Common, path: str) -> Manifest:
    """Into the node's own volume, which the start guard has looked at."""
    return {
        "name": "genesis-copy",
        "image": common.spec.genesis.ledger.image,
        "command": ["sh", "-ceu", COPY],
        "env": environment(common, path),
        "volumeMounts": [{"name": "config-dir", "mountPath": common.dialect.config_directory}],
    }


def _look(common: Common, mount: Manifest) -> Manifest:
    return {
        "name": "genesis-check",
        "image": common.spec.images.init,
        "command": ["sh", "-ceu", LOOK],
        "env": environment(common, str(mount["mountPath"])),
        "volumeMounts": [dict(mount)],
    }
