"""Which command lines a daemon takes, as far as they decide whether it starts and how it takes part.

The command line is Jane Street's: a flag may be shortened as long as it is unambiguous, has its value as the next word,
and one that is not known stops the start. One dash or two are both accepted by the daemons since 2021.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mina_infra.daemon.logs import Level

Release = tuple[int, int]
"""Major and minor number of a daemon."""

_SWITCH_NAMES = """
    background demo-mode disable-node-status insecure-rest-server log-json no-super-catchup open-limited-graphql-port
    seed super-catchup tracing
"""
_VALUE_NAMES = """
    all-peers-seen-metric archive-address bind-ip block-producer-key block-producer-password block-producer-pubkey
    client-port coinbase-receiver config-directory config-file contact-info current-protocol-version direct-peer
    enable-flooding enable-peer-exchange external-ip external-port file-log-rotations gc-stat-interval
    generate-genesis-proof genesis-ledger-dir hardfork-handling isolate-network itn-graphql-port itn-keys itn-max-logs
    libp2p-metrics-port log-block-creation log-level log-precomputed-blocks
    log-snark-work-gossip log-txn-pool-gossip max-connections metrics-port min-connections minimum-block-reward
    node-error-url node-status-url peer peer-list-file peer-list-url peer-protection-rate plugin
    precomputed-blocks-path proof-level proposed-protocol-version rest-port run-snark-coordinator run-snark-worker
    simplified-node-stats snark-worker-fee snark-worker-parallelism start-filtered-logs stop-time
    upload-blocks-to-gcloud uptime-submitter-key uptime-submitter-pubkey uptime-url validation-queue-size
    work-reassignment-wait work-selection
"""
_SWITCHES = frozenset(_SWITCH_NAMES.split())
_WITH_VALUE = frozenset(_VALUE_NAMES.split())
# Flags that came or went: (from this release on, before this one) (docs/facts.md: mina/flag-history).
_SPANS: dict[str, tuple[Release, Release]] = {
    "log-received-blocks": ((0, 0), (0, 2)),
    "discovery-keypair": ((0, 0), (1, 4)),
    "libp2p-keypair": ((1, 4), (9999, 0)),
    "limited-graphql-port": ((0, 2), (9999, 0)),
    "file-log-level": ((0, 2), (9999, 0)),
}
_PASSWORDS = {"block-producer-key": "PRIVKEY_PASS", "libp2p-keypair": "LIBP2P_PASS", "discovery-keypair": "LIBP2P_PASS"}
_TAG = re.compile(r":v?(\d+)\.(\d+)")
_LEVELS = frozenset(level.name.lower() for level in Level)


class Refusal(Exception):
    """The daemon prints this and exits."""


@dataclass(frozen=True)
class Flags:
    """A command line that was understood: all values of each flag, in order. Switches have the value `true`."""

    values: Mapping[str, tuple[str, ...]]

    def one(self, name: str, default: str = "") -> str:
        """The last value of a flag."""
        return self.values[name][-1] if name in self.values else default

    def has(self, name: str) -> bool:
        return name in self.values

    def number(self, name: str, default: int) -> int:
        """Raises Refusal."""
        text = self.one(name, str(default))
        if not (text.isascii() and text.isdigit()):
            raise Refusal(f"failed to parse -{name} value {text!r}: not a number")
        return int(text)


def release_of(image: str) -> Release | None:
    """The release that an image's tag begins with; None for a tag (or a bare digest) that does not say."""
    found = _TAG.search(image.partition("@")[0].rpartition("/")[2])
    return (int(found[1]), int(found[2])) if found else None


def read_flags(words: Sequence[str], env: Iterable[str] = (), release: Release | None = None) -> Flags:
    """The flags of `mina daemon ...`; `words` begins with the sub-command. Raises Refusal.

    `env` holds the names of the variables that are set. Without a release every flag of any release is taken.
    """
    if not words or words[0] != "daemon":
        raise Refusal("mina - Mina\n\n  mina SUBCOMMAND\n\n=== subcommands ===\n\n  daemon  . Mina daemon")
    flags = Flags(_parse(words[1:], release))
    _check(flags, frozenset(env))
    return flags


def _parse(words: Sequence[str], release: Release | None) -> dict[str, tuple[str, ...]]:
    spans = {name for name, (first, end) in _SPANS.items() if release is None or first <= release < end}
    known = _WITH_VALUE | _SWITCHES | spans
    values: dict[str, tuple[str, ...]] = {}
    rest = iter(words)
    for word in rest:
        if "$(" in word:
            raise _usage(f"the argument {word} was never resolved")
        if not word.startswith("-"):
            raise _usage(f"too many anonymous arguments: {word}")
        name = _complete(word, known)
        value = "true" if name in _SWITCHES else next(rest, None)
        if value is None:
            raise _usage(f"missing argument for flag {word}")
        if "$(" in value:
            raise _usage(f"the value {value} of {word} was never resolved")
        values[name] = (*values.get(name, ()), value)
    return values


def _complete(word: str, known: frozenset[str]) -> str:
    name = word.lstrip("-")
    matches = [flag for flag in known if flag.startswith(name)] if name else []
    if name in known:
        return name
    if len(matches) != 1:
        raise _usage(f"unknown flag {word}" if not matches else f"flag {word} is an ambiguous prefix")
    return matches[0]


def _usage(message: str) -> Refusal:
    return Refusal(f"Error parsing command line:\n\n  {message}\n\nFor usage information, run\n\n  mina daemon -help\n")


def _check(flags: Flags, env: frozenset[str]) -> None:
    sources = ("seed", "peer", "peer-list-file", "peer-list-url")
    if not any(flags.has(source) for source in sources) and "PEER_LIST_URL" not in env:
        raise Refusal("Error: No peers were given.\n\nPass one of -peer, -peer-list-file, -seed, -peer-list-url.")
    for flag, variable in _PASSWORDS.items():
        if flags.has(flag) and not env & {f"MINA_{variable}", f"CODA_{variable}"}:
            raise Refusal(f"Error: -{flag} needs its password in MINA_{variable}; there is no terminal to ask for it.")
    if flags.one("log-level", "info").lower() not in _LEVELS:
        raise _usage(f"failed to parse -log-level value {flags.one('log-level')!r}")
