"""The words of a crash among a log's last lines, and the words that every shutdown writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from mina_infra.daemon.logs import Level, Record, parse_records
from mina_infra.guardian.crashes.fingerprint import Signature, flat, signature

_UNHANDLED = "Unhandled top-level exception"
_REPORTING = "Exception when generating crash report"
# Each daemon writes these when its group gets SIGTERM, at Fatal (docs/facts.md: mina/sigterm-noise).
_HELPER_TERMINATED = re.compile(r"libp2p_helper process died unexpectedly.*?(?:sigterm|signal number 15)", re.I | re.S)
_HELPER_DIED = "Libp2p_helper_died_unexpectedly"
_NO_PEERS = re.compile(r"failed to connect to any initial peers", re.I)
_FAREWELL = re.compile(r"process exited with status code|crash report|^\s*$|☠", re.I)
_PANIC = re.compile(r"^(?:panic:|fatal error:|Fatal error:|SIG[A-Z]+:).*", re.M)
_SAMPLE_CHARACTERS = 20_000


@dataclass(frozen=True)
class Words:
    """What a log says about the end of its program. `signature` None: nothing of its own."""

    signature: Signature | None = None
    sample: str = ""
    commit: str = ""
    at: datetime | None = None
    fatal: bool = False
    """The signature is of a line at Fatal, not of what stood last in a log without one."""
    terminated: bool = False
    """It was told to stop: the helper's SIGTERM is in the log."""
    no_peers: bool = False
    """It gave up because no peer was there yet, as daemons of a young network do."""


def words_of(log: bytes) -> Words:
    """What the last lines of a log say. Never raises, whatever the lines are."""
    return crash_words(list(parse_records(log.split(b"\n"))))


def crash_words(records: Sequence[Record]) -> Words:
    """What the records around one end of a program say."""
    terminated = any(_HELPER_TERMINATED.search(record.text) for record in records)
    no_peers = any(_NO_PEERS.search(record.text) for record in records)
    real = [record for record in records if record.line.level is Level.FATAL and not is_noise(record, terminated)]
    unhandled = [record for record in real if record.line.message.startswith(_UNHANDLED)]
    spoken = [record for record in real if not record.line.message.startswith(_REPORTING)]
    if chosen := unhandled or spoken or real:
        return of_record(chosen[-1], terminated=terminated, no_peers=no_peers)
    if not terminated and (loose := _loose(records)):
        return Words(signature(loose), loose[:_SAMPLE_CHARACTERS], terminated=terminated, no_peers=no_peers)
    return Words(terminated=terminated, no_peers=no_peers)


def of_record(record: Record, *, terminated: bool = False, no_peers: bool = False) -> Words:
    """The words of one record at Fatal."""
    metadata = record.line.metadata
    exn = metadata.get("exn")
    commit = exn.get("commit_id", "") if isinstance(exn, dict) else ""
    if exn is not None:
        head = record.line.message.partition("\n")[0].replace("$exn", "")
        # The words that every crash begins with would only take the room of those that tell it from others.
        spoken = flat(exn) if head.startswith(_UNHANDLED) else f"{head} {flat(exn)}"
    else:
        spoken = record.text
    return Words(
        signature(spoken), record.text[:_SAMPLE_CHARACTERS], str(commit or ""), record.line.timestamp,
        True, terminated, no_peers,
    )  # fmt: skip


def is_noise(record: Record, terminated: bool) -> bool:
    """Whether a record at Fatal only says that the daemon was told to stop.

    The helper's own line names the signal. The exception that follows does not: it is noise beside that line only.
    """
    text = record.text
    return bool(_HELPER_TERMINATED.search(text)) or (terminated and _HELPER_DIED in text)


def _loose(records: Iterable[Record]) -> str:
    """What stands in no record: the panic of a helper, or the last words of a program that writes no JSON."""
    blocks = list(_blocks(records))
    for block in reversed(blocks):
        if found := _PANIC.search(block):
            return block[found.start() :]
    lines = [line for line in "\n".join(blocks).splitlines() if not _FAREWELL.search(line)]
    return lines[-1] if lines else ""


def _blocks(records: Iterable[Record]) -> Iterator[str]:
    for record in records:
        own = () if record.line.structured else (record.line.message,)
        if lines := (*own, *record.after):
            yield "\n".join(lines)
