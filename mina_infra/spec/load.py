"""From a file or from data to a checked spec: every mistake at once, each with file, line and column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mina_infra.spec import job_scripts, rules, runtime_config
from mina_infra.spec.benchmark import Benchmark
from mina_infra.spec.errors import Issue, SpecError
from mina_infra.spec.explain import issues_of, not_plain
from mina_infra.spec.models import TestnetSpec
from mina_infra.spec.monitoring import Monitoring
from mina_infra.spec.partial import read_rest, unrelated
from mina_infra.spec.stack_file import (
    BENCHMARK_KEY,
    CLUSTER_KEY,
    MONITORING_KEY,
    STORAGE_KEY,
    TESTNET_KEY,
    ClusterConfig,
    read_config,
)
from mina_infra.spec.storage import ClusterStorage
from mina_infra.spec.yaml_file import Marks

Rule = Callable[[TestnetSpec], Iterable[Issue]]
StorageRule = Callable[[ClusterStorage], Iterable[Issue]]
PARTS: Mapping[str, type[BaseModel]] = {
    CLUSTER_KEY: ClusterConfig, MONITORING_KEY: Monitoring, BENCHMARK_KEY: Benchmark,
}  # fmt: skip
"""What a stack file may say beside its testnet."""

M = TypeVar("M", bound=BaseModel)


def load_stack_spec(
    file: FilePath, more_rules: Iterable[Rule] = (), storage_rules: Iterable[StorageRule] = ()
) -> TestnetSpec:
    """The testnet of a Pulumi stack file, with its runtime config read from beside it. Raises SpecError."""
    config, marks = read_config(file)
    if TESTNET_KEY not in config:
        hint = "See README, 'The document'."
        raise SpecError([marks.locate(Issue((), f"no testnet: 'config: {TESTNET_KEY}:' is missing.", hint))])
    spec, issues = _judge(config[TESTNET_KEY], file.parent, more_rules)
    located = _located(issues, marks, TESTNET_KEY)
    for key, model in PARTS.items():
        if key in config:
            located += _located(_judge_part(config[key], model)[1], marks, key)
    if STORAGE_KEY in config:
        located += _located(_judge_storage(config[STORAGE_KEY], storage_rules)[1], marks, STORAGE_KEY)
    if spec is None or located:
        raise SpecError(sorted(located, key=lambda issue: (issue.line or 0, issue.column or 0)))
    return spec


def parse(data: Any, *, base: FilePath, more_rules: Iterable[Rule] = ()) -> TestnetSpec:
    """The checked spec of a document given as data. `base` is the folder of relative file names. Raises SpecError."""
    spec, issues = _judge(data, base, more_rules)
    if spec is None or issues:
        raise SpecError(issues)
    return spec


def load_monitoring(file: FilePath) -> Monitoring:
    """What a stack file wants to be watched over; the defaults where it says nothing. Raises SpecError."""
    return _load_part(file, Monitoring, MONITORING_KEY)


def load_storage(file: FilePath, rules: Iterable[StorageRule] = ()) -> ClusterStorage | None:
    """The storage classes that a stack file declares for its cluster; None where it has none. Raises SpecError."""
    config, marks = read_config(file)
    if STORAGE_KEY not in config:
        return None
    part, issues = _judge_storage(config[STORAGE_KEY], rules)
    if part is None or issues:
        raise SpecError(_located(issues, marks, STORAGE_KEY))
    return part


def load_benchmark(file: FilePath) -> Benchmark:
    """What a stack file wants to be measured; the defaults where it says nothing. Raises SpecError."""
    return _load_part(file, Benchmark, BENCHMARK_KEY)


def _load_part(file: FilePath, model: type[M], key: str) -> M:
    config, marks = read_config(file)
    part, issues = _judge_part(config.get(key, {}), model)
    if part is None:
        raise SpecError(_located(issues, marks, key))
    return part


def parse_cluster(data: Any) -> ClusterConfig:
    """The checked `mina-infra:cluster` of a stack. Raises SpecError."""
    return _part(data, ClusterConfig, CLUSTER_KEY)


def parse_monitoring(data: Any) -> Monitoring:
    """The checked `mina-infra:monitoring` of a stack. Raises SpecError."""
    return _part(data, Monitoring, MONITORING_KEY)


def parse_storage(data: Any, rules: Iterable[StorageRule] = ()) -> ClusterStorage:
    """The checked `mina-infra:storage` of a stack. Raises SpecError."""
    found, issues = _judge_storage(data, rules)
    if found is None or issues:
        raise SpecError(Issue((STORAGE_KEY, *issue.path), issue.message, issue.hint) for issue in issues)
    return found


def _judge_storage(data: Any, rules: Iterable[StorageRule]) -> tuple[ClusterStorage | None, list[Issue]]:
    found, issues = _judge_part(data, ClusterStorage)
    return found, issues + [issue for rule in rules if found is not None for issue in rule(found)]


def _part(data: Any, model: type[M], key: str) -> M:
    found, issues = _judge_part(data, model)
    if found is None:
        raise SpecError(Issue((key, *issue.path), issue.message, issue.hint) for issue in issues)
    return found


def _judge(data: Any, base: FilePath, more_rules: Iterable[Rule]) -> tuple[TestnetSpec | None, list[Issue]]:
    """The spec, None where the fields themselves are broken, and every issue."""
    issues = list(not_plain(data))
    if issues:
        return None, issues
    try:
        spec = TestnetSpec.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        rest = read_rest(data, errors)
        more = _checked(rest, base, more_rules)[1] if rest else []
        return None, issues_of(error) + unrelated(more, errors)
    return _checked(spec, base, more_rules)


def _checked(spec: TestnetSpec, base: FilePath, more_rules: Iterable[Rule]) -> tuple[TestnetSpec, list[Issue]]:
    text, issues = runtime_config.read(spec.genesis.runtime_config, base)
    spec = spec.with_runtime_config(text or "{}")
    spec, unread = job_scripts.with_scripts(spec, base)
    issues += unread
    more = [issue for rule in (rules.check, *more_rules) for issue in rule(spec)]
    if not text:  # what a rule says of the stand-in is nothing that the user wrote
        more = [issue for issue in more if issue.path[:2] != runtime_config.PATH]
    return spec, issues + more


def _judge_part(data: Any, model: type[M]) -> tuple[M | None, list[Issue]]:
    issues = list(not_plain(data))
    if issues:
        return None, issues
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, issues_of(error, model)


def _located(issues: Iterable[Issue], marks: Marks, key: str) -> list[Issue]:
    within = Marks(marks.file, marks.places, ("config", key))
    return [within.locate(issue) for issue in issues]
