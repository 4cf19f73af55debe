"""The Pulumi program: one testnet from the document of this stack."""

import pulumi

from components import Monitoring, Testnet, cluster_provider

config = pulumi.Config("mina-infra")
document = config.require_object("testnet")
testnet = Testnet(document["name"], document, pulumi.ResourceOptions(provider=cluster_provider(config)))
monitoring = config.get_object("monitoring")
if monitoring:
    Monitoring("monitoring", {"settings": monitoring, "testnets": [document]})
pulumi.export("testnet", testnet.document)
