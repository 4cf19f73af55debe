"""Publishing into a folder: only what is healthy, only what changed, never half a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mina_infra.guardian.verdict import Verdict
from mina_infra.outputs import OutputsDocument
from mina_infra.publish.page import render, since_of
from mina_infra.publish.seeds import (
    PublishRefusedError,
    Seed,
    peers_text,
    refuse_unseen,
    seed_list,
    seeds_json,
)

PEERS, SEEDS, PAGE = "peers.txt", "seeds.json", "index.html"


@dataclass(frozen=True)
class Published:
    """What stands in the folder now; `written` are the files that changed."""

    folder: Path
    seeds: tuple[Seed, ...]
    written: tuple[str, ...]

    @property
    def page(self) -> Path:
        return self.folder / PAGE

    @property
    def peers(self) -> Path:
        return self.folder / PEERS


def publish(outputs: OutputsDocument, verdict: Verdict, folder: Path) -> Published:
    """Write peers.txt, seeds.json and index.html. The same seeds and states a second time touch no file.

    Raises PublishRefusedError, and leaves every file as it was, when the verdict is not healthy or not this testnet's,
    when there is no seed, or when a seed was not seen with its identity; also where the folder cannot be written to.
    """
    seeds = seed_list(outputs)
    _refuse(outputs, verdict, seeds, folder)
    refuse_unseen(seeds, verdict)
    try:
        contents = {
            PEERS: peers_text(seeds),
            SEEDS: seeds_json(outputs, seeds),
            PAGE: _page(outputs, seeds, verdict, folder / PAGE),
        }
        folder.mkdir(parents=True, exist_ok=True)
        written = [name for name, text in contents.items() if _write_if_changed(folder / name, text)]
    except OSError as error:
        why = f"cannot publish to {folder}: {error.strerror}"
        raise PublishRefusedError(f"{why}. Name another folder: --out") from error
    return Published(folder, tuple(seeds), tuple(written))


def _refuse(outputs: OutputsDocument, verdict: Verdict, seeds: list[Seed], folder: Path) -> None:
    kept = f"What is in {folder} stays as it is." if (folder / PEERS).exists() else "Nothing was written."
    if (verdict.testnet, verdict.era) != (outputs.testnet, outputs.era):
        raise PublishRefusedError(
            f"the verdict is about testnet {verdict.testnet!r}, era {verdict.era}; the outputs document is of "
            f"{outputs.testnet!r}, era {outputs.era}. {kept}"
        )
    if not verdict.healthy:
        checks = ", ".join(finding.check for finding in verdict.findings if finding.state != "pass") or "no check ran"
        raise PublishRefusedError(
            f"seeds are published after a passing verdict only; this one is {verdict.health!s} ({checks}). {kept}"
        )
    if not seeds:
        raise PublishRefusedError(f"the outputs document names no seeds. {kept}")


def _page(outputs: OutputsDocument, seeds: list[Seed], verdict: Verdict, path: Path) -> str:
    """The page that stands there, if it has been saying the same; else a new one, from this verdict on."""
    since = since_of(_text(path) or "")
    if since is not None:
        same = render(outputs, seeds, verdict, since)
        if same == _text(path):
            return same
    return render(outputs, seeds, verdict, verdict.ended)


def _write_if_changed(path: Path, text: str) -> bool:
    if _text(path) == text:
        return False
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _text(path: Path) -> str | None:
    """None for a file that is not there or not text: it will be replaced."""
    try:
        return path.read_bytes().decode("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
