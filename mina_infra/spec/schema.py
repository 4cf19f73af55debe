"""JSON Schemas for editors and for programs in other languages: of a stack file, and of the outputs document.

Kept in `schema/`, where stack files name them (`# yaml-language-server: $schema=./schema/stack.schema.json`);
`python -m mina_infra.spec.schema` writes them anew, and a test compares.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from mina_infra.outputs import OutputsDocument
from mina_infra.spec.benchmark import Benchmark
from mina_infra.spec.models import TestnetSpec
from mina_infra.spec.monitoring import Monitoring
from mina_infra.spec.stack_file import (
    BENCHMARK_KEY,
    CLUSTER_KEY,
    MONITORING_KEY,
    STORAGE_KEY,
    TESTNET_KEY,
    ClusterConfig,
)
from mina_infra.spec.storage import ClusterStorage

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path(__file__).resolve().parents[2] / "schema"


def stack_schema() -> dict[str, Any]:
    """The schema of `Pulumi.<stack>.yaml`: our keys exactly, whatever else Pulumi and other programs keep there."""
    models = (TestnetSpec, ClusterConfig, Monitoring, ClusterStorage, Benchmark)
    references, definitions = models_json_schema([(model, "validation") for model in models])
    return {
        "$schema": DIALECT,
        "title": "Stack file of mina-infra",
        "description": "One testnet as a Pulumi stack, or what a cluster's testnets share.",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "description": "Configuration of the stack; keys of other namespaces are not ours to judge.",
                "type": "object",
                "anyOf": [{"required": [TESTNET_KEY]}, {"required": [STORAGE_KEY]}],
                "properties": {
                    TESTNET_KEY: {**references[(TestnetSpec, "validation")], "description": "The testnet."},
                    CLUSTER_KEY: {**references[(ClusterConfig, "validation")], "description": "Where it runs."},
                    STORAGE_KEY: {
                        **references[(ClusterStorage, "validation")],
                        "description": "Classes of the cluster.",
                    },
                    BENCHMARK_KEY: {**references[(Benchmark, "validation")], "description": "Disks to measure."},
                    MONITORING_KEY: {**references[(Monitoring, "validation")], "description": "Alerts of the cluster."},
                },
            }
        },
        "$defs": definitions["$defs"],
    }


def outputs_schema() -> dict[str, Any]:
    """The schema of what a stack exports as `testnet`."""
    return {"$schema": DIALECT, **OutputsDocument.model_json_schema()}


def files() -> dict[str, str]:
    """Content of each file of `schema/`, by name."""
    schemas = {"stack.schema.json": stack_schema(), "outputs.schema.json": outputs_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for _name, _text in files().items():
        (FOLDER / _name).write_text(_text, encoding="utf-8")
