"""The genesis artefacts of an era."""

from typing import TypedDict

import pulumi

from components.arguments import TestnetArgs
from components.objects import GENESIS_LEDGER, PlannedComponent, plan_of


class GenesisLedgerArgs(TypedDict):
    """Arguments of GenesisLedger."""

    testnet: TestnetArgs
    """The document of the testnet whose chain it is."""


class GenesisLedger(PlannedComponent):
    """Ledger, proof and epoch ledger of an era: one shared, read-only claim, filled once by a Job."""

    claims: pulumi.Output[list[str]]
    """Names of the claims that the daemons mount; empty when the ledger is inside the runtime config."""

    def __init__(self, name: str, args: GenesisLedgerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        plan = plan_of(args["testnet"])
        super().__init__(GENESIS_LEDGER, name, {}, opts)
        self.register(plan.genesis, plan.spec.name)
        claims = [
            each.manifest["metadata"]["name"]
            for each in plan.genesis
            if each.manifest["kind"] == "PersistentVolumeClaim"
        ]
        self.claims = pulumi.Output.from_input(claims)
        self.register_outputs({"claims": self.claims})
