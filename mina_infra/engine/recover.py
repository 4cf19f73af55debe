"""A record that is lost, torn, older than the cluster or another stack's, brought together with what is there.

`up` adopts what an interrupted run left, because it trusts what is on record. Here nothing is trusted but the labels in
the cluster: the record is compared with it object by object (a refresh), and what is ours and not on record is taken
over by the same upserting run. Never by import, which would replace claims (docs/facts.md: measured/killed-up).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from mina_infra.cluster.api import CLAIM, KubeApi, Manifest
from mina_infra.engine import run
from mina_infra.engine.environment import EngineEnvironment
from mina_infra.engine.inventory import Comparison, Live, compare, planned_keys
from mina_infra.engine.recovery import examine, is_of_another
from mina_infra.engine.report import Report, Silent
from mina_infra.engine.run import Preview, UpResult
from mina_infra.engine.state import ObjectKey, Recorded, put_aside, readable_record, state_file
from mina_infra.errors import EngineError


@dataclass(frozen=True)
class FoundClaim:
    """One claim of the testnet's namespace and its volume. `standing`: recorded, adopted, missing, orphan, foreign."""

    name: str
    standing: str
    phase: str = ""
    volume: str = ""
    size: str = ""
    storage_class: str = ""


@dataclass(frozen=True)
class Found:
    """What a recovery has to do with. `record` says in words what became of the record; `planned`, `live` are counts.

    `difference` compares the plan with the record, as far as it is this stack's, and with the cluster.
    """

    record: str
    others: bool
    recorded: int
    planned: int
    live: int
    difference: Comparison
    claims: tuple[FoundClaim, ...]

    @property
    def whole(self) -> bool:
        """Nothing is to be adopted, missed or put aside; the record may still be older than the cluster."""
        return not (self.others or self.difference.adopt or self.difference.lost or self.difference.foreign)


@dataclass(frozen=True)
class Recovered:
    """What the recovery did, and what `up` would still change."""

    result: UpResult
    preview: Preview

    @property
    def settled(self) -> bool:
        """The record, the cluster and the document agree."""
        return not self.preview.failed and set(self.preview.changes) <= {"same"}


def find(env: EngineEnvironment) -> Found:
    """Look at record, plan and cluster; changes nothing. Raises SpecError, ClusterError or EngineError."""
    return asyncio.run(_find(env))


async def _find(env: EngineEnvironment) -> Found:
    async with KubeApi.from_kubeconfig(env.kubeconfig, env.context) as api:
        live = await examine(api, env)
        items = await api.objects(CLAIM, env.plan.spec.namespace)
    known, record = readable_record(env)
    others = is_of_another(env, known)
    if others:
        record = f"that of {others}; it is put aside and nothing in it is touched"
        known = Recorded()
    difference = compare(planned_keys(env.plan), known, live, env.plan.spec.name)
    ours = [key for key, each in live.items() if each.testnet == env.plan.spec.name]
    claims = tuple(_claims(items, planned_keys(env.plan), known, live, difference))
    return Found(record, bool(others), len(known.objects), len(env.plan.objects()), len(ours), difference, claims)


def _claims(
    items: list[Manifest], planned: tuple[ObjectKey, ...], known: Recorded, live: Live, difference: Comparison
) -> Iterator[FoundClaim]:
    found = {ObjectKey.of({"apiVersion": "v1", "kind": CLAIM.kind, **item}): item for item in items}
    for key in sorted({*found, *(each for each in planned if each.kind == CLAIM.kind)}):
        item = found.get(key)
        if item is None:
            yield FoundClaim(key.name, "missing")
            continue
        spec, status = item["spec"], item.get("status") or {}
        adopted, orphan = key in difference.adopt, key in difference.orphans
        ours = key in live and live[key].testnet is not None
        standing = "adopted" if adopted else "orphan" if orphan else "recorded" if key in known.objects else "foreign"
        yield FoundClaim(
            name=key.name,
            standing=standing if ours or standing == "recorded" else "foreign",
            phase=str(status.get("phase") or ""),
            volume=str(spec.get("volumeName") or ""),
            size=str((status.get("capacity") or spec["resources"]["requests"]).get("storage") or ""),
            storage_class=str(spec.get("storageClassName") or ""),
        )


def recover(env: EngineEnvironment, report: Report | None = None) -> Recovered:
    """Bring record and cluster together and deploy the document. Raises SpecError, ClusterError or EngineError.

    Refuses what `up` refuses: foreign objects, and every volume that would be lost. Killed, it is completed by running
    it, or `up`, again.
    """
    report = report or Silent()
    known, _ = readable_record(env)
    if others := is_of_another(env, known):
        if env.backend is None:
            raise EngineError(
                f"the record of stack '{env.stack}' is that of {others}, and lies in a backend of yours; nothing was "
                f"changed. Keep it (`mina-infra pulumi -s {env.stack} -- stack export > kept.json`), make the stack "
                f"anew (`pulumi stack rm --force {env.stack}`, `pulumi stack init {env.stack}`) and recover again."
            )
        report.say("record", f"that of {others}; kept as {put_aside(state_file(env), 'foreign').name}")
    result = run.up(env, report, refresh=True)
    if result.adopted:
        run.up(env, report)  # the provider on record took over whatever it met; from now on it does not
    return Recovered(result, run.preview(env, report))
