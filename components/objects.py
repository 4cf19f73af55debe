"""From planned objects to Pulumi resources: one call each, nothing decided here."""

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pulumi

from mina_infra.plan import PlannedObject, TestnetPlan, laws, parse_document, plan_testnet
from mina_infra.spec import TestnetSpec, hold, job_run
from mina_infra.spec.pause import PAUSED, from_variable, with_paused

TESTNET = "mina-infra:index:Testnet"
REGIONAL_STORAGE_CLASSES = "mina-infra:index:RegionalStorageClasses"
GENESIS_LEDGER = "mina-infra:index:GenesisLedger"
ROLE_DEPLOYMENT = "mina-infra:index:RoleDeployment"
SEED_NODES = "mina-infra:index:SeedNodes"
MONITORING = "mina-infra:index:Monitoring"
"""Type tokens are forever: changing one without an alias replaces every resource below it."""

Registry = dict[str, pulumi.Resource]


def plan_of(args: Mapping[str, Any]) -> TestnetPlan:
    """The plan of a document. Raises SpecError with every mistake, before anything is registered."""
    root = Path(pulumi.runtime.get_root_directory() or ".")
    # Under Pulumi's mocks the root is a placeholder that exists nowhere.
    spec = parse_document(args, base=root if root.is_dir() else Path())
    # Set by `mina-infra migrate` for one run: volumes whose turn to move has not come.
    spec = hold.with_held(spec, hold.from_variable(os.environ.get(hold.HELD, "")))
    # Set by `mina-infra pause` for one run: nodes to stop beyond those that the document stops.
    spec = with_paused(spec, from_variable(os.environ.get(PAUSED, "")))
    # Set by `mina-infra check-state` for one run: the Jobs that it makes.
    return _plan(spec.model_dump_json(), os.environ.get(job_run.VARIABLE, ""))


@lru_cache(maxsize=8)
def _plan(spec: str, run: str) -> TestnetPlan:
    """Every component of a testnet asks for the same plan; it is made once. `spec` has been checked."""
    return plan_testnet(TestnetSpec.model_validate_json(spec), job_run.from_variable(run))


def require_provider(opts: pulumi.ResourceOptions | None, name: str) -> None:
    """Refuse to fall back on the default provider, whose cluster is whatever the environment says."""
    if not any(provider.package == "kubernetes" for provider in _providers(opts or pulumi.ResourceOptions())):
        raise ValueError(
            f"{name}: no Kubernetes provider was given, and the default one would deploy to whatever cluster the "
            "environment names. Pass opts with provider=kubernetes.Provider(..., cluster_identifier=...)."
        )


def _providers(opts: pulumi.ResourceOptions) -> Iterator[pulumi.ProviderResource]:
    """The providers that the options give, and the Kubernetes provider of the parent, if any."""
    given = opts.providers or ()
    if isinstance(given, pulumi.ProviderResource):
        yield given
    else:
        yield from given.values() if isinstance(given, Mapping) else given
    inherited = opts.parent.get_provider("kubernetes:core/v1:Namespace") if opts.parent is not None else None
    yield from (each for each in (opts.provider, inherited) if each is not None)


class PlannedComponent(pulumi.ComponentResource):
    """A component whose children are planned objects.

    `_registry` holds, by key, what was registered so far in this testnet, so that dependencies cross components exactly
    as planned: a dependency on a whole component would make `destroy --exclude-protected` keep far too much.
    """

    _registry: Registry  # without the underscore it would become an output of the Pulumi package

    def __init__(self, token: str, name: str, args: Mapping[str, Any], opts: pulumi.ResourceOptions | None) -> None:
        require_provider(opts, name)
        super().__init__(token, name, dict(args), opts)
        parent = opts.parent if opts is not None else None
        self._registry = parent._registry if isinstance(parent, PlannedComponent) else {}

    def register(self, planned: Iterable[PlannedObject], testnet: str) -> None:
        """Declare each object with its parent, protection and dependencies.

        An object planned outside this program (the namespace, for a component used on its own) is not waited for.
        """
        planned = tuple(planned)
        laws.obey(each.manifest for each in planned)
        for each in planned:
            after = [self._registry[key] for key in each.after if key in self._registry]
            self._registry[each.key] = pulumi.CustomResource(
                token(each.manifest),
                f"{testnet}-{each.key}",
                dict(each.manifest),
                pulumi.ResourceOptions(
                    parent=self,
                    protect=each.protect or None,
                    retain_on_delete=each.retain or None,
                    replace_on_changes=list(each.replaced_on) or None,
                    delete_before_replace=bool(each.replaced_on) or None,
                    ignore_changes=_ignored(each),
                    depends_on=after,
                    custom_timeouts=_timeouts(each.timeout_s),
                    version=kubernetes_version(),
                ),
            )


def _ignored(planned: PlannedObject) -> list[str] | None:
    """What no update touches: all of a kept volume, and what any volume started with, which means nothing later."""
    if planned.kept:
        return ["spec"]
    return ["spec.dataSource"] if planned.manifest["kind"] == "PersistentVolumeClaim" else None


def _timeouts(seconds: int) -> pulumi.CustomTimeouts | None:
    limit = f"{seconds}s"
    return pulumi.CustomTimeouts(create=limit, update=limit, delete=limit) if seconds else None


def kubernetes_version() -> str:
    """The provider's release: that of its installed Python side, which the user's lock decides."""
    return version("pulumi_kubernetes")


def token(manifest: Mapping[str, Any]) -> str:
    """`kubernetes:apps/v1:Deployment` for a manifest of that kind."""
    group = manifest["apiVersion"]
    return f"kubernetes:{group if '/' in group else f'core/{group}'}:{manifest['kind']}"
