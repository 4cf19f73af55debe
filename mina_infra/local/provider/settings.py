"""The provider's own configuration: what a Configure call says, what of it changes the cluster, what is refused."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError

from mina_infra.errors import ClusterError
from mina_infra.local.provider.wire import Properties, Unknown, plain

PREFIX = "kubernetes:config:"
CLUSTER_KEYS = ("kubeconfig", "context", "cluster")

# Options of the official provider whose meaning is another way of working, which this one does not have.
UNSUPPORTED = {
    "renderYamlToDirectory": "use `mina-infra plan --format yaml` to see the manifests",
    "alwaysRender": "use `mina-infra plan --format yaml` to see the manifests",
}


@dataclass(frozen=True)
class Settings:
    """One provider resource's options; the defaults are those of the official provider."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    accept_secrets: bool = True
    upsert_existing: bool = False
    patch_force: bool = False
    mutable_config_maps: bool = False
    mutable_secrets: bool = False
    delete_unreachable: bool = False
    skip_update_unreachable: bool = False

    @classmethod
    def from_variables(cls, variables: Mapping[str, str], *, accept_secrets: bool) -> Settings:
        """The settings of a Configure call; an option that is not given may come from the environment, as officially.

        Raises ClusterError for an option that this provider does not have.
        """

        def text(name: str) -> str:
            return variables.get(PREFIX + name, "")

        def flag(name: str, variable: str) -> bool:
            return variables.get(PREFIX + name, os.environ.get(variable, "")) == "true"

        for name, instead in UNSUPPORTED.items():
            if text(name) not in ("", "false"):
                raise ClusterError(f"the offline provider has no {name}; {instead}")
        if text("enableServerSideApply") == "false":
            raise ClusterError("the offline provider works by server-side apply only; remove enableServerSideApply")
        return cls(
            kubeconfig=text("kubeconfig"),
            context=text("context"),
            cluster=text("cluster"),
            namespace=text("namespace"),
            accept_secrets=accept_secrets,
            upsert_existing=flag("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
            patch_force=flag("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
            mutable_config_maps=flag("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
            mutable_secrets=flag("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
            delete_unreachable=flag("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
            skip_update_unreachable=flag("skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE"),
        )


def kubeconfig_document(path_or_content: Any) -> dict[str, Any]:
    """A kubeconfig given as a path, as YAML or JSON text, or as an object. Raises ClusterError."""
    if path_or_content in (None, ""):
        return {}
    document = path_or_content
    if isinstance(document, str):
        path = Path(document).expanduser() if len(document) < 4096 and "\n" not in document else None
        try:
            document = yaml.safe_load(path.read_text() if path is not None and path.is_file() else document)
        except (OSError, yaml.YAMLError) as error:
            # Without the parser's own words: they quote the text, which holds credentials.
            raise ClusterError(f"failed to parse kubeconfig: {type(error).__name__}") from None
    if not isinstance(document, dict):
        raise ClusterError("failed to parse kubeconfig: it is neither a readable file nor a kubeconfig document")
    return document


def active_cluster(document: Mapping[str, Any], overrides: Properties) -> Any:
    """The cluster entry that a kubeconfig and its overrides select; None when there is none."""
    contexts, clusters = _named(document, "contexts", "context"), _named(document, "clusters", "cluster")
    context = contexts.get(overrides.get("context") or document.get("current-context"))
    if not isinstance(context, Mapping):
        return None
    return clusters.get(overrides.get("cluster") or context.get("cluster"))


def _named(document: Mapping[str, Any], key: str, inner: str) -> dict[Any, Any]:
    entries = document.get(key)
    if not isinstance(entries, list):
        if entries:
            raise ClusterError(f"failed to parse kubeconfig: {key} is not a list")
        return {}
    return {entry.get("name"): entry.get(inner) for entry in entries if isinstance(entry, Mapping)}


@dataclass(frozen=True)
class ConfigDifference:
    """Which options changed, and which of them mean another cluster and so the replacement of everything."""

    diffs: list[str] = field(default_factory=list)
    replaces: list[str] = field(default_factory=list)


def compare_settings(old: Properties, new: Properties) -> ConfigDifference:
    """DiffConfig: with an unchanged clusterIdentifier nothing is replaced; a changed one replaces; else the active
    cluster of the kubeconfig decides, and a kubeconfig that is not known yet counts as changed. Raises ClusterError."""
    old, new = plain(old), plain(new)
    changed = sorted(key for key in {*old, *new} if not key.startswith("__") and old.get(key) != new.get(key))
    identifier, before = new.get("clusterIdentifier"), old.get("clusterIdentifier")
    pinned = bool(identifier) and identifier == before
    replaces = ["clusterIdentifier"] if identifier and before and identifier != before else []
    for key in CLUSTER_KEYS:
        if changed and isinstance(new.get(key), Unknown):
            return ConfigDifference([key], [] if pinned else [*replaces, key])
    if changed:
        was = active_cluster(kubeconfig_document(old.get("kubeconfig")), old)
        now = active_cluster(kubeconfig_document(new.get("kubeconfig")), new)
        if was is not None and now is not None and was != now:
            replaces += [key for key in CLUSTER_KEYS if key in changed]
    return ConfigDifference(changed, [] if pinned else replaces)


def checked_settings(urn: str, news: Properties) -> list[tuple[str, str]]:
    """CheckConfig: (property, reason) for each option that will not do."""
    failures = []
    if news.get("strictMode") in (True, "true") and "::pulumi:providers:" in urn:
        if urn.split("::")[-1].startswith("default"):
            failures.append(("", "strict mode prohibits default provider"))
        failures += [
            (key, f'strict mode requires Provider "{key}" argument')
            for key in ("kubeconfig", "context")
            if not news.get(key)
        ]
    failures += [
        (key, f"the offline provider has no {key}; {why}") for key, why in UNSUPPORTED.items() if news.get(key)
    ]
    if news.get("enableServerSideApply") in (False, "false"):
        failures.append(("enableServerSideApply", "the offline provider works by server-side apply only"))
    return failures


@dataclass(frozen=True)
class Allowed:
    """The one cluster that may be served: that of the kubeconfig which `local` wrote."""

    kubeconfig: Path

    def resolve(self, settings: Settings) -> SingleConfig:
        """The cluster that the settings select. Raises ClusterError unless it is ours and listens on loopback."""
        ours = {_server(entry) for entry in _named(self._document(), "clusters", "cluster").values()}
        config = self._config(settings)
        server = config.cluster.server.rstrip("/")
        if server not in ours:
            raise ClusterError(
                f"the offline Kubernetes provider serves {', '.join(sorted(ours))} only, the embedded cluster of "
                f"{self.kubeconfig}; this configuration names {server}. For another cluster install the official "
                "provider: pulumi plugin install resource kubernetes"
            )
        if not _is_loopback(server):
            raise ClusterError(f"the offline Kubernetes provider serves loopback addresses only, not {server}")
        return config

    def _document(self) -> dict[str, Any]:
        return kubeconfig_document(str(self.kubeconfig))

    def _config(self, settings: Settings) -> SingleConfig:
        source = settings.kubeconfig or str(self.kubeconfig)
        document = kubeconfig_document(source)
        path = Path(source).expanduser() if _is_file(source) else None
        context = settings.context or document.get("current-context")
        try:
            parsed = KubeConfig.from_dict(document, path)
            config = parsed.get(context)
            if config is not None and settings.cluster:
                config = config._replace(cluster=parsed.clusters[settings.cluster])
        except (ConfigError, KeyError, TypeError, AttributeError) as error:
            raise ClusterError(f"the kubeconfig has no usable context {context!r} ({type(error).__name__})") from None
        if config is None:
            raise ClusterError("the kubeconfig names no current context; name one with kubernetes:context")
        return config


def _is_file(text: str) -> bool:
    return "\n" not in text and len(text) < 4096 and Path(text).expanduser().is_file()


def _server(cluster: Any) -> str:
    return str(cluster.get("server", "")).rstrip("/") if isinstance(cluster, Mapping) else ""


def _is_loopback(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
