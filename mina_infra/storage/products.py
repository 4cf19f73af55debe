"""From a live storage class to the product that its disks are billed as: the capability table read the other way.

Classes are read as they are, also those that somebody else made, in the older forms too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mina_infra.spec import Provider

_FILESTORE = {"standard": "filestore-basic-hdd", "basic-hdd": "filestore-basic-hdd"}
_AZURE_FILES = {"Standard_LRS": "azure-files-standard"}


def product_of(storage_class: Mapping[str, Any]) -> tuple[Provider, str] | None:
    """Provider and product of a StorageClass object; None for a driver that no provider of ours has.

    A parameter that is left out has its driver's default (docs/facts.md: storage/providers).
    """
    driver = str(storage_class.get("provisioner", ""))
    given = {str(key).lower(): str(value) for key, value in (storage_class.get("parameters") or {}).items()}
    sku = given.get("skuname") or given.get("storageaccounttype")
    match driver:
        case "pd.csi.storage.gke.io" | "kubernetes.io/gce-pd":
            product = given.get("type", "pd-standard")
            regional = given.get("replication-type") == "regional-pd"
            return Provider.GKE, f"regional-{product}" if regional else product
        case "filestore.csi.storage.gke.io":
            tier = given.get("tier", "standard")
            return Provider.GKE, _FILESTORE.get(tier, f"filestore-{tier}")
        case "ebs.csi.aws.com" | "kubernetes.io/aws-ebs":
            return Provider.EKS, given.get("type", "gp3" if driver == "ebs.csi.aws.com" else "gp2")
        case "efs.csi.aws.com":
            return Provider.EKS, "efs"
        case "disk.csi.azure.com":
            return Provider.AKS, sku or "StandardSSD_LRS"
        case "file.csi.azure.com":
            return Provider.AKS, _AZURE_FILES.get(sku or "Standard_LRS", f"azure-files-{sku}")
        case "local.mina-infra":
            return Provider.LOCAL, f"local-{given.get('type', 'ssd')}"
    return None
