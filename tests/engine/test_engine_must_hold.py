"""The same law as tests/plan/test_must_hold.py on the real engine: one testnet, edited at random again and again."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from random import Random

import pytest
import yaml

from mina_infra.cluster.api import NAMESPACE
from mina_infra.engine import run
from mina_infra.engine.guard import VolumesInDangerError
from mina_infra.engine.state import recorded
from mina_infra.errors import MinaInfraError
from mina_infra.local.control_plane import EmbeddedCluster
from tests.engine.testnets import SmallTestnet
from tests.plan import edits

EDITS = 24
SEED = 8


class Edited(SmallTestnet):
    """A testnet with a document of its own."""

    def write(self, document: edits.Document) -> None:
        config = {"config": {"mina-infra:testnet": document}}
        (self.project / f"Pulumi.{self.name}.yaml").write_text(yaml.safe_dump(config))


def test_must_hold_no_edit_loses_a_volume_that_is_not_named(embedded_cluster: EmbeddedCluster, tmp_path: Path) -> None:
    """Each claim keeps its uid through every run that does not name it; what a refused run would lose is then named,
    every other time."""
    testnet, random = Edited("edited", embedded_cluster, tmp_path / "project"), Random(SEED)
    document = edits.start(testnet.name)
    testnet.write(document)
    run.up(testnet.env, testnet)
    told: list[str] = []
    for number in range(EDITS):
        before = testnet.claims()
        made, fresh, _ = edits.edited(document, random)
        testnet.write(fresh)
        allow: list[str] = []
        try:
            outcome = _up(testnet, allow)
            if outcome == "refused" and number % 2:
                allow = sorted(_in_danger(testnet))[: random.choice([1, 99])]
                outcome = _up(testnet, allow)
        finally:
            after = testnet.claims()
        told.append(f"{made}: {outcome}" + (f", named {', '.join(allow)}" if allow else ""))
        print(told[-1])
        lost = {name for name, uid in before.items() if after.get(name) != uid}
        assert all(any(fnmatchcase(name, pattern) for pattern in allow) for name in lost), told
        if outcome == "done":
            document = fresh
            known = {key.name for key in recorded(testnet.env).objects if key.kind == "PersistentVolumeClaim"}
            assert known == set(after)
        else:
            assert not lost or outcome != "refused"
    outcomes = [line.split(": ")[1].split(",")[0] for line in told]
    assert outcomes.count("done") >= 8, told
    assert outcomes.count("refused") >= 4, told
    testnet.write(edits.start(testnet.name))
    run.destroy(testnet.env, testnet)
    testnet.ask(lambda api: api.delete(NAMESPACE, testnet.name))


def _up(testnet: Edited, allow: list[str]) -> str:
    try:
        run.up(testnet.env, testnet, allow=allow)
    except VolumesInDangerError:
        return "refused"
    except MinaInfraError as error:
        return f"failed ({str(error).splitlines()[0][:90]})"
    return "done"


def _in_danger(testnet: Edited) -> set[str]:
    with pytest.raises(VolumesInDangerError) as error:
        run.up(testnet.env, testnet)
    return {each.claim for each in error.value.refused}
