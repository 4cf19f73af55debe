"""The start guard: a node never starts on a volume that holds another genesis, and nothing re-initialises one."""

from __future__ import annotations

from mina_infra.plan.common import Common
from mina_infra.plan.objects import Manifest

MARKER = ".mina-infra-genesis"
"""Marker file at the root of every volume: {"digest": "sha256:...", "era": 1}."""

ANOTHER_GENESIS = 42
"""Exit code of every step that meets another genesis; a Job that ends with it is not tried again."""

CONTAINER = "start-guard"

# An unmarked volume that is not empty was never ours to start on. The marker is written in one move before the daemon
# first runs, so no interruption leaves a chain without one. `.mina-lock` of a killed daemon is stale: the claim admits
# one pod at a time (docs/facts.md: mina/stale-lock).
_SCRIPT = f"""\
marker="$VOLUME/{MARKER}"
wanted="{{\\"digest\\": \\"$GENESIS_DIGEST\\", \\"era\\": $ERA}}"
rm -f "$marker.new"
if [ -e "$marker" ]; then
  found="$(cat "$marker")"
  if [ "$found" != "$wanted" ]; then
    echo "start guard: $VOLUME holds another genesis. found $found, wanted $wanted. \
Give the node a volume of its own era, or restore the document of that genesis." >&2
    exit {ANOTHER_GENESIS}
  fi
elif [ -n "$(ls -A "$VOLUME" | grep -v -x lost+found)" ]; then
  echo "start guard: $VOLUME is not empty and does not say which genesis it holds; wanted $wanted. \
If it belongs to this genesis, write that text to $marker." >&2
  exit {ANOTHER_GENESIS}
else
  echo "$wanted" > "$marker.new"
  mv "$marker.new" "$marker"
fi
rm -f "$VOLUME/.mina-lock"
"""


def genesis_env(common: Common) -> list[Manifest]:
    """Which genesis a step wants to meet; the same two variables in every step that looks at a volume."""
    return [
        {"name": "GENESIS_DIGEST", "value": common.genesis_digest},
        {"name": "ERA", "value": str(common.spec.era)},
    ]


def start_guard(common: Common) -> Manifest:
    """The init container that looks at a daemon's volume before anything else does. Idempotent."""
    directory = common.dialect.config_directory
    return {
        "name": CONTAINER,
        "image": common.spec.images.init,
        "command": ["sh", "-ceu", _SCRIPT],
        "env": [{"name": "VOLUME", "value": directory}, *genesis_env(common)],
        "volumeMounts": [{"name": "config-dir", "mountPath": directory}],
    }
