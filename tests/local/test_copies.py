"""A copy of a directory that is written to is of one moment, or there is none."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mina_infra.local import copies


def test_a_copy_is_whole_and_leaves_nothing_hidden(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "frontier").mkdir(parents=True)
    (source / "frontier" / "a").write_text("1")
    (source / "link").symlink_to("frontier/a")
    copies.copy(source, tmp_path / "target")
    assert (tmp_path / "target" / "frontier" / "a").read_text() == "1"
    assert (tmp_path / "target" / "link").is_symlink()
    assert not copies.hidden(tmp_path / "target").exists()


def test_two_files_of_one_writer_are_never_from_two_moments(tmp_path: Path) -> None:
    """The second file is always written after the first: a copy with a newer second one would have a hole."""
    source = tmp_path / "source"
    source.mkdir()
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            for name in ("snapshot", "journal"):
                partial = source / f".{name}"
                partial.write_text(str(number))
                partial.rename(source / name)
            stop.wait(0.003)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not (source / "journal").exists():
            stop.wait(0.001)
        for number in range(30):
            target = tmp_path / f"copy-{number}"
            try:
                copies.copy(source, target)
            except copies.UnsettledError:
                assert not target.exists()
                continue
            first, second = ((target / name).read_text() for name in ("snapshot", "journal"))
            assert int(second) in (int(first), int(first) - 1)
    finally:
        stop.set()
        writer.join()


def test_what_never_rests_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").mkdir()
    moments = iter(range(10_000))
    monkeypatch.setattr(copies, "signature", lambda _folder: frozenset({("a", next(moments), 0, 0)}))
    monkeypatch.setattr(copies.time, "sleep", lambda _seconds: None)
    with pytest.raises(copies.UnsettledError, match="written to during each"):
        copies.copy(tmp_path / "source", tmp_path / "target")
    assert [each.name for each in tmp_path.iterdir()] == ["source"]


def test_a_lost_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copies.copy(tmp_path / "source", tmp_path / "target")


def test_an_interrupted_deletion_is_finished(tmp_path: Path) -> None:
    for name in ("one", ".one", "two", ".three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    copies.remove(tmp_path / "one")
    copies.sweep(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["two"]
