"""The Pulumi program: the testnet of this stack, or what the testnets of its cluster share."""

import pulumi

from components import Monitoring, RegionalStorageClasses, Testnet, cluster_provider, guard_volumes

config = pulumi.Config("mina-infra")
storage, monitoring = config.get_object("storage"), config.get_object("monitoring")
document = config.get_object("testnet") if storage else config.require_object("testnet")
guard_volumes([document] if document else [], config.require_object("cluster"))
here = pulumi.ResourceOptions(provider=cluster_provider(config))
if storage:
    RegionalStorageClasses("storage", {"cluster": storage}, here)
if document:
    pulumi.export("testnet", Testnet(document["name"], document, here).document)
if monitoring:
    Monitoring("monitoring", {"settings": monitoring, "testnets": [document] if document else []}, here)
