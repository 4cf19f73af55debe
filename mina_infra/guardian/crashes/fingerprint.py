"""Twelve digits by which one bug is known, whatever node, peer or block it met (docs/facts.md: guardian/fingerprint).

Mina's own tool masks line numbers only and hashes the first 130 characters, so each peer id makes another bug of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

FRAMES = 6
"""Frames that count. Further out are the scheduler's, the same for every bug."""

_MESSAGE_LIMIT = 1000
_BASE58 = "[1-9A-HJ-NP-Za-km-z]"
# In this order: a state hash holds digits, a path holds anything. What stands for something masked holds no digit, and
# digits give way to a letter, so that masking a masked text changes nothing.
_MASKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"line [0-9]+, characters [0-9]+-[0-9]+"), "line _, characters _"),
    (re.compile(rf"12D3Koo{_BASE58}*"), "<peer>"),
    (re.compile(rf"3N{_BASE58}{{10,}}"), "<hash>"),
    (re.compile(rf"B62q{_BASE58}{{10,}}"), "<key>"),
    (re.compile(r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w.])(?::[0-9]+)?"), "<ip>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b(?=[a-f]*[0-9])[0-9a-f]{8,}\b"), "<hex>"),
    (re.compile(r"(?<!\w)/[\w.+@~-]+(?:/[\w.+@~-]+)+"), "<path>"),
    (re.compile(r"[0-9]+"), "N"),
)
_FRAME = re.compile(
    r"(?:Raised (?:at|by primitive operation at)|Re-raised at|Called from)\b"
    r"[^\n]*?(?:characters [0-9]+-[0-9]+|(?=[\n()]|\"\s*\"|$))"
)
_GO_FRAME = re.compile(r"^\s+(\S+\.go):[0-9]+", re.MULTILINE)
_PUNCTUATION = re.compile(r'[()"\s]+')


@dataclass(frozen=True)
class Signature:
    """What a crash is known by. `title` and `frames` are masked; `fingerprint` is made of them."""

    fingerprint: str
    title: str
    frames: tuple[str, ...] = ()


def signature(text: str) -> Signature:
    """The signature of a crash as it was written: an exception's text with its backtrace, a panic, a last line."""
    plain = text.replace('\\"', '"')
    found = [match.group() for match in _FRAME.finditer(plain)] or _GO_FRAME.findall(plain)
    message = _FRAME.sub(" ", plain)
    title = mask(_PUNCTUATION.sub(" ", message).strip())[:_MESSAGE_LIMIT]
    frames = tuple(_tidy(mask(frame)) for frame in found[:FRAMES])
    digest = hashlib.sha256("\n".join((title, *frames)).encode()).hexdigest()
    return Signature(digest[:12], title, frames)


def mask(text: str) -> str:
    """The text without what differs between two meetings with the same bug. Masking twice changes nothing."""
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text


def flat(exn: Any) -> str:
    """The exception of a log line's metadata as text: a string until 2020, {"commit_id", "sexp"} since 2021."""
    if isinstance(exn, dict) and "sexp" in exn:
        return flat(exn["sexp"])
    return "\n".join(_atoms(exn))


def _atoms(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _atoms(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from _atoms(each)
    elif value is not None:
        yield str(value)


def _tidy(frame: str) -> str:
    return _PUNCTUATION.sub(" ", frame).strip()
