"""The start guard: a node never starts on a volume that holds another genesis, and nothing re-initialises one.

It also keeps identities apart: a volume that comes from another node (a clone, a volume named in the document) brings
its chain along and leaves behind who that node was.
"""

from __future__ import annotations

from mina_infra.plan.common import Common
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import Manifest

MARKER = ".mina-infra-genesis"
"""Marker file at the root of every volume: {"digest": "sha256:...", "era": 1}."""

OWNER = ".mina-infra-owner"
"""Marker file beside it: {"testnet": "qa", "node": "whale-1"}."""

IDENTITY = ("mina_net2", "coda_net2", "trust", "wallets")
"""What a daemon keeps of itself in its directory: the libp2p peer store, which holds its own private key, and its
routing table (`coda_net2` in old releases), whom it trusts and bans, and the accounts that it signs for
(docs/facts.md: mina/identity-files). The key itself comes from a Secret and never lies here."""

ANOTHER_GENESIS = 42
"""Exit code of every step that meets another genesis; a Job that ends with it is not tried again."""

CONTAINER = "start-guard"

# An unmarked volume that is not empty was never ours to start on. The marker is written in one move before the daemon
# first runs, so no interruption leaves a chain without one. Identity goes before the new owner is written, so an
# interrupted step removes it again; a volume that names no owner is its first node's. `.mina-lock` of a killed daemon
# is stale: the claim admits one pod at a time (docs/facts.md: mina/stale-lock).
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
owner="$VOLUME/{OWNER}"
self="{{\\"testnet\\": \\"$TESTNET\\", \\"node\\": \\"$NODE\\"}}"
found="$self"
rm -f "$owner.new"
[ ! -e "$owner" ] || found="$(cat "$owner")"
if [ "$found" != "$self" ]; then
  for each in {" ".join(IDENTITY)}; do
    rm -rf "$VOLUME/$each"
  done
  echo "start guard: $VOLUME was of $found and is of $self now: removed {", ".join(IDENTITY)}; the chain stays."
fi
if [ ! -e "$owner" ] || [ "$found" != "$self" ]; then
  echo "$self" > "$owner.new"
  mv "$owner.new" "$owner"
fi
rm -f "$VOLUME/.mina-lock"
"""


def genesis_env(common: Common) -> list[Manifest]:
    """Which genesis a step wants to meet; the same two variables in every step that looks at a volume."""
    return [
        {"name": "GENESIS_DIGEST", "value": common.genesis_digest},
        {"name": "ERA", "value": str(common.spec.era)},
    ]


def owner_env(common: Common, node: Node) -> list[Manifest]:
    """Whose volume it is to be."""
    return [{"name": "TESTNET", "value": common.spec.name}, {"name": "NODE", "value": node.name}]


def start_guard(common: Common, node: Node) -> Manifest:
    """The init container that looks at a daemon's volume before anything else does. Idempotent."""
    directory = common.dialect.config_directory
    return {
        "name": CONTAINER,
        "image": common.spec.images.init,
        "command": ["sh", "-ceu", _SCRIPT],
        "env": [{"name": "VOLUME", "value": directory}, *genesis_env(common), *owner_env(common, node)],
        "volumeMounts": [{"name": "config-dir", "mountPath": directory}],
    }
