"""The snapshot kinds, which Kubernetes itself does not have: the fields that are used here, as the real ones have them.

A real cluster gets them, and the controller behind them, from its provider or from the external-snapshotter project
(docs/facts.md: snapshots/kinds).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from mina_infra.cluster.api import (
    SNAPSHOT_CLASS,
    SNAPSHOT_CONTENT,
    SNAPSHOTS,
    VOLUME_SNAPSHOT,
    ApiStatusError,
    Kind,
    KubeApi,
)
from mina_infra.errors import ClusterError

Schema = dict[str, Any]

DEFINITION = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
_SERVED_SECONDS = 30.0

_KINDS = (VOLUME_SNAPSHOT, SNAPSHOT_CONTENT, SNAPSHOT_CLASS)

_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_NUMBER: Schema = {"type": "integer", "format": "int64"}
_QUANTITY: Schema = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
_POLICY: Schema = {"type": "string", "enum": ["Delete", "Retain"]}


def _object(required: tuple[str, ...] = (), **fields: Schema) -> Schema:
    return {"type": "object", "properties": fields} | ({"required": list(required)} if required else {})


def _one_of(*names: str) -> Schema:
    """Exactly one of these, for ever: whoever wants another source makes another object."""
    fixed = [
        {"rule": f"!has(oldSelf.{name}) || (has(self.{name}) && self.{name} == oldSelf.{name})",
         "message": f"{name} is immutable"}
        for name in names
    ]  # fmt: skip
    chosen = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names)
    rules = [*fixed, {"rule": f"{chosen} == 1", "message": f"exactly one of {' and '.join(names)} must be set"}]
    return _object((), **dict.fromkeys(names, _TEXT)) | {"x-kubernetes-validations": rules}


_ERROR = _object(message=_TEXT, time=_TIME)

_SNAPSHOT = _object(
    ("spec",),
    spec=_object(
        ("source",),
        source=_one_of("persistentVolumeClaimName", "volumeSnapshotContentName"),
        volumeSnapshotClassName=_TEXT,
    ),
    status=_object(
        boundVolumeSnapshotContentName=_TEXT,
        creationTime=_TIME,
        readyToUse={"type": "boolean"},
        restoreSize=_QUANTITY,
        error=_ERROR,
    ),
)

_CONTENT = _object(
    ("spec",),
    spec=_object(
        ("deletionPolicy", "driver", "source", "volumeSnapshotRef"),
        deletionPolicy=_POLICY,
        driver=_TEXT,
        source=_one_of("volumeHandle", "snapshotHandle"),
        sourceVolumeMode=_TEXT,
        volumeSnapshotClassName=_TEXT,
        volumeSnapshotRef=_object(
            apiVersion=_TEXT,
            fieldPath=_TEXT,
            kind=_TEXT,
            name=_TEXT,
            namespace=_TEXT,
            resourceVersion=_TEXT,
            uid=_TEXT,
        ),
    ),
    status=_object(
        snapshotHandle=_TEXT,
        # Nanoseconds and bytes here, a time and a quantity on the snapshot: so in the real kinds.
        creationTime=_NUMBER,
        readyToUse={"type": "boolean"},
        restoreSize=_NUMBER,
        error=_ERROR,
    ),
)

_CLASS = _object(
    ("deletionPolicy", "driver"),
    deletionPolicy=_POLICY,
    driver=_TEXT,
    parameters={"type": "object", "additionalProperties": _TEXT},
)


def definitions() -> tuple[dict[str, Any], ...]:
    """The three CustomResourceDefinitions."""
    return (
        _definition(VOLUME_SNAPSHOT, ("vs",), _SNAPSHOT),
        _definition(SNAPSHOT_CONTENT, ("vsc", "vscs"), _CONTENT),
        _definition(SNAPSHOT_CLASS, ("vsclass", "vsclasses"), _CLASS),
    )


def _definition(kind: Kind, short: tuple[str, ...], schema: Schema) -> dict[str, Any]:
    base = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": {"type": "object"}}
    whole = {**schema, "properties": {**base, **schema["properties"]}}
    version: dict[str, Any] = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": whole}}
    if "status" in schema["properties"]:
        version["subresources"] = {"status": {}}
    names = {
        "plural": kind.plural,
        "singular": kind.kind.lower(),
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "shortNames": list(short),
    }
    return {
        "apiVersion": DEFINITION.api_version,
        "kind": DEFINITION.kind,
        "metadata": {
            "name": f"{kind.plural}.{SNAPSHOTS}",
            # The API server refuses kinds of *.k8s.io groups that say nothing of their approval.
            "annotations": {"api-approved.kubernetes.io": "unapproved, of an embedded cluster for tests"},
        },
        "spec": {
            "group": SNAPSHOTS,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": names,
            "versions": [version],
        },
    }


async def install(api: KubeApi) -> None:
    """Make sure that the cluster serves the three kinds. Idempotent; raises ClusterError when it does not come to."""
    there = {item["metadata"]["name"] for item in await api.objects(DEFINITION)}
    for definition in definitions():
        if definition["metadata"]["name"] not in there:
            try:
                await api.request("POST", DEFINITION.path(), body=definition)
            except ApiStatusError as error:
                if error.code != 409:  # somebody was faster
                    raise
    deadline = time.monotonic() + _SERVED_SECONDS
    while missing := [kind.kind for kind in _KINDS if not await _served(api, kind)]:
        if time.monotonic() > deadline:
            raise ClusterError(f"the API server does not serve {', '.join(missing)}")
        await asyncio.sleep(0.05)


async def _served(api: KubeApi, kind: Kind) -> bool:
    try:
        await api.request("GET", kind.path(), params={"limit": 1})
    except ApiStatusError as error:
        if error.code != 404:
            raise
        return False
    return True
