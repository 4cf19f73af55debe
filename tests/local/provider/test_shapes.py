"""The round trip through the API's types: what it drops, what it keeps, how it writes quantities."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mina_infra.cluster.api import KINDS
from mina_infra.local.provider.inputs import normalized
from mina_infra.local.provider.quantity import canonical
from mina_infra.local.provider.shapes import shapes

QUANTITIES = [
    ("1Gi", "1Gi"),
    ("1024Mi", "1Gi"),
    ("1.5Gi", "1536Mi"),
    ("512", "512"),
    ("0.5Ki", "512"),
    ("1000", "1k"),
    ("1500", "1500"),
    ("1000m", "1"),
    ("0.5", "500m"),
    ("100m", "100m"),
    ("1e3", "1e3"),
    ("1E3", "1e3"),
    ("5e2", "500"),
    ("2E", "2E"),
    ("0", "0"),
    ("0Gi", "0"),
    ("0.0000000001", "1n"),
    ("-1024Ki", "-1Mi"),
    ("+20", "20"),
    (".5", "500m"),
]


@pytest.mark.parametrize(("text", "wanted"), QUANTITIES)
def test_quantities_have_one_spelling(text: str, wanted: str) -> None:
    assert canonical(text) == wanted


@pytest.mark.parametrize("text", ["", "Gi", "1GiB", "1 Gi", "one", "1.2.3", "1mi", "1e"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        canonical(text)


@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi", "e2", "e3"]))
def test_a_canonical_quantity_has_the_same_value_and_is_a_fixed_point(number: int, suffix: str) -> None:
    text = canonical(f"{number}{suffix}")
    assert value(text) == value(f"{number}{suffix}")
    assert canonical(text) == text


def value(text: str) -> Decimal:
    units = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4, "Pi": 1024**5, "Ei": 1024**6}
    for unit, factor in units.items():
        if text.endswith(unit):
            return Decimal(text.removesuffix(unit)) * factor
    for unit, power in {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}.items():
        if text.endswith(unit):
            return Decimal(text.removesuffix(unit)).scaleb(power)
    return Decimal(text)


def spec_of(kind: str, spec: dict[str, Any], version: str = "v1") -> dict[str, Any]:
    found: dict[str, Any] = normalized({"apiVersion": version, "kind": kind, "spec": spec})["spec"]
    return found


def test_what_omitempty_drops_is_dropped_and_pointers_are_kept() -> None:
    pod = {"hostNetwork": False, "nodeSelector": {}, "automountServiceAccountToken": False, "securityContext": {}}
    assert spec_of("Pod", pod) == {"automountServiceAccountToken": False, "securityContext": {}}
    assert spec_of("PersistentVolume", {"storageClassName": ""}) == {}
    assert spec_of("PersistentVolumeClaim", {"storageClassName": ""}) == {"storageClassName": ""}


def test_fields_that_the_types_do_not_have_are_dropped() -> None:
    assert spec_of("Deployment", {"replicas": 1.0, "replica": 2.0}, "apps/v1") == {"replicas": 1}


def test_an_object_that_does_not_fit_its_types_stays_as_it_is() -> None:
    spec = {"replicas": "three", "unknown": 1.0}
    assert spec_of("Deployment", spec, "apps/v1") == spec


def test_ports_may_be_numbers_or_names() -> None:
    ports = [{"port": 80.0, "targetPort": 8080.0}, {"port": 81.0, "targetPort": "http"}]
    assert spec_of("Service", {"ports": ports})["ports"] == [
        {"port": 80, "targetPort": 8080},
        {"port": 81, "targetPort": "http"},
    ]


def test_metadata_that_only_the_server_writes_are_removed() -> None:
    metadata = {"name": "a", "uid": "u", "resourceVersion": "1", "generation": 2.0, "creationTimestamp": None}
    found = normalized({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    assert found["metadata"] == {"name": "a"}


def test_strings_of_a_secret_become_data_and_win_over_them() -> None:
    given_ = {"data": {"a": "eA==", "b": "eQ=="}, "stringData": {"a": "z"}}
    found = normalized({"apiVersion": "v1", "kind": "Secret", "metadata": {}, **given_})
    assert found["data"] == {"a": "eg==", "b": "eQ=="}
    assert "stringData" not in found


def test_every_known_built_in_kind_has_a_shape() -> None:
    missing = {kind.kind for kind in KINDS.values() if not kind.custom} - shapes().keys()
    assert missing == set()


def test_every_shape_is_made_of_known_shapes() -> None:
    scalars = {"s", "i", "f", "b", "q", "x", "y", "a"}
    codes = {code.lstrip("*![{") for fields in shapes().values() for code in fields.values()}
    assert codes <= scalars | shapes().keys()
