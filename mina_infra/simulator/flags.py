"""Which command lines a daemon takes, as far as they decide whether it starts and how it takes part.

The command line is Jane Street's: a flag may be shortened as long as it is unambiguous, has its value as the next word,
and one that is not known stops the start. One dash or two are both accepted by the daemons since 2021.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mina_infra.daemon.logs import Level

_SWITCH_NAMES = """
    background demo-mode disable-node-status insecure-rest-server log-json no-super-catchup open-limited-graphql-port
    seed super-catchup tracing
"""
_VALUE_NAMES = """
    all-peers-seen-metric archive-address bind-ip block-producer-key block-producer-password block-producer-pubkey
    client-port coinbase-receiver config-directory config-file contact-info current-protocol-version direct-peer
    enable-flooding enable-peer-exchange external-ip external-port file-log-level file-log-rotations gc-stat-interval
    generate-genesis-proof genesis-ledger-dir hardfork-handling isolate-network itn-graphql-port itn-keys itn-max-logs
    libp2p-keypair libp2p-metrics-port limited-graphql-port log-block-creation log-level log-precomputed-blocks
    log-snark-work-gossip log-txn-pool-gossip max-connections metrics-port min-connections minimum-block-reward
    node-error-url node-status-url peer peer-list-file peer-list-url peer-protection-rate plugin
    precomputed-blocks-path proof-level proposed-protocol-version rest-port run-snark-coordinator run-snark-worker
    simplified-node-stats snark-worker-fee snark-worker-parallelism start-filtered-logs stop-time
    upload-blocks-to-gcloud uptime-submitter-key uptime-submitter-pubkey uptime-url validation-queue-size
    work-reassignment-wait work-selection
"""
_SWITCHES = frozenset(_SWITCH_NAMES.split())
_WITH_VALUE = frozenset(_VALUE_NAMES.split())
# Left the command line on 2020-12: only images of that year (tags 0.0.x) take it.
_BEFORE_2021 = frozenset({"log-received-blocks"})
_PASSWORDS = {"block-producer-key": "MINA_PRIVKEY_PASS", "libp2p-keypair": "MINA_LIBP2P_PASS"}
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


def read_flags(words: Sequence[str], env: Iterable[str] = (), image_tag: str = "") -> Flags:
    """The flags of `mina daemon ...`; `words` begins with the sub-command. Raises Refusal.

    `env` holds the names of the variables that are set.
    """
    if not words or words[0] != "daemon":
        raise Refusal("mina - Mina\n\n  mina SUBCOMMAND\n\n=== subcommands ===\n\n  daemon  . Mina daemon")
    flags = Flags(_parse(words[1:], old=image_tag.startswith("0.0.")))
    _check(flags, frozenset(env))
    return flags


def _parse(words: Sequence[str], *, old: bool) -> dict[str, tuple[str, ...]]:
    known = _WITH_VALUE | _SWITCHES | (_BEFORE_2021 if old else frozenset())
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
        if flags.has(flag) and variable not in env:
            raise Refusal(f"Error: -{flag} needs its password in {variable}; there is no terminal to ask for it.")
    if flags.one("log-level", "info").lower() not in _LEVELS:
        raise _usage(f"failed to parse -log-level value {flags.one('log-level')!r}")
