"""Publishing: only after a passing verdict, nothing rewritten without need, nothing half written, nothing unescaped."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mina_infra.daemon.multiaddress import MultiaddressError
from mina_infra.guardian.verdict import Verdict
from mina_infra.outputs import OutputsDocument
from mina_infra.publish.folder import publish
from mina_infra.publish.page import render
from mina_infra.publish.seeds import PublishRefusedError, seed_list
from tests.guardian.fake_cluster import World, world


@pytest.fixture(scope="module")
def here() -> World:
    return world()


@pytest.fixture(scope="module")
def verdict(here: World) -> Verdict:
    made = here.verify()
    assert made.healthy
    return made


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_three_files_that_agree(here: World, verdict: Verdict, tmp_path: Path) -> None:
    published = publish(here.outputs, verdict, tmp_path / "new" / "out")
    peers = published.peers.read_text()
    assert peers.endswith("\n")
    assert peers.splitlines() == sorted(seed.multiaddress for seed in here.outputs.seeds)
    value = json.loads((published.folder / "seeds.json").read_text())
    assert [seed["multiaddress"] for seed in value["seeds"]] == peers.splitlines()
    page = published.page.read_text()
    assert all(address in page for address in peers.splitlines())
    assert published.written == ("peers.txt", "seeds.json", "index.html")


def test_the_same_again_later_touches_no_file(here: World, verdict: Verdict, tmp_path: Path) -> None:
    publish(here.outputs, verdict, tmp_path)
    before = contents(tmp_path)
    later = replace(verdict, ended=verdict.ended + timedelta(hours=1), sweeps=verdict.sweeps + 3)
    assert publish(here.outputs, later, tmp_path).written == ()
    assert contents(tmp_path) == before


def test_a_change_writes_only_what_it_concerns(here: World, verdict: Verdict, tmp_path: Path) -> None:
    publish(here.outputs, verdict, tmp_path)
    newer = here.outputs.model_copy(update={"images": {"daemon": "mina:2"}})
    assert publish(newer, verdict, tmp_path).written == ("index.html",)


def test_an_unhealthy_verdict_keeps_the_last_good_list(here: World, verdict: Verdict, tmp_path: Path) -> None:
    publish(here.outputs, verdict, tmp_path)
    before = contents(tmp_path)
    ill = world()
    ill.network.crash("whale-1")
    with pytest.raises(PublishRefusedError, match=r"unstable.*stays as it is"):
        publish(here.outputs, ill.verify(), tmp_path)
    assert contents(tmp_path) == before


def test_an_open_verdict_is_not_a_passing_one(here: World, tmp_path: Path) -> None:
    open_world = world()
    open_world.cluster.silent = {"plain-1"}
    with pytest.raises(PublishRefusedError, match="could not tell"):
        publish(open_world.outputs, open_world.verify(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_told(here: World, verdict: Verdict, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PublishRefusedError, match=r"cannot publish to .*: Not a directory\. Name another folder"):
        publish(here.outputs, verdict, tmp_path / "file" / "out")


def test_no_seeds_no_list(here: World, verdict: Verdict, tmp_path: Path) -> None:
    publish(here.outputs, verdict, tmp_path)
    before = contents(tmp_path)
    with pytest.raises(PublishRefusedError, match="no seeds"):
        publish(here.outputs.model_copy(update={"seeds": []}), verdict, tmp_path)
    assert contents(tmp_path) == before


def test_the_verdict_of_another_testnet_publishes_nothing(here: World, verdict: Verdict, tmp_path: Path) -> None:
    with pytest.raises(PublishRefusedError, match=r"'other'.*'testnet'"):
        publish(here.outputs, replace(verdict, testnet="other"), tmp_path)


def test_a_seed_with_another_identity_than_its_address_promises_is_refused(
    here: World, verdict: Verdict, tmp_path: Path
) -> None:
    """Nobody could reach it at that address, however healthy the network is."""
    nodes = tuple(
        replace(node, peer_id=verdict.node("seed-2").peer_id) if node.name == "seed-1" else node
        for node in verdict.nodes
    )
    with pytest.raises(PublishRefusedError, match=r"seed-1.*libp2p key"):
        publish(here.outputs, replace(verdict, nodes=nodes), tmp_path)


def with_seeds(outputs: OutputsDocument, **changes: object) -> OutputsDocument:
    first = outputs.seeds[0].model_copy(update=changes)
    return outputs.model_copy(update={"seeds": [first, *outputs.seeds]})


def test_seeds_are_sorted_and_each_address_listed_once(here: World) -> None:
    doubled = with_seeds(here.outputs, name="alias")
    addresses = [str(seed.multiaddress) for seed in seed_list(doubled)]
    assert addresses == sorted({seed.multiaddress for seed in here.outputs.seeds})


def test_an_address_that_no_daemon_could_dial_is_refused(here: World) -> None:
    with pytest.raises(MultiaddressError):
        seed_list(with_seeds(here.outputs, multiaddress=" /dns4/x/tcp/8302/p2p/nonsense"))


def test_an_address_that_contradicts_its_parts_is_refused(here: World) -> None:
    with pytest.raises(PublishRefusedError, match="is not host, port and peer id"):
        seed_list(with_seeds(here.outputs, port=1))


class _Tags(HTMLParser):
    """Tags and addresses of a page; unbalanced tags show as a stack that is not empty."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in ("meta", "link", "img", "br"):
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


def test_the_page_needs_nothing_from_elsewhere_and_is_well_formed(here: World, verdict: Verdict) -> None:
    tags = _Tags()
    tags.feed(render(here.outputs, seed_list(here.outputs), verdict, verdict.ended))
    assert tags.stack == []
    assert tags.links == ["seeds.json", "peers.txt"]
    assert "script" not in tags.tags
    assert "link" not in tags.tags


def test_whatever_comes_from_outside_is_escaped(here: World, verdict: Verdict) -> None:
    evil = "<script>alert('x')</script>"
    outputs = here.outputs.model_copy(update={"testnet": evil, "images": {evil: evil}})
    page = render(outputs, seed_list(outputs), verdict, verdict.ended)
    assert "<script" not in page
