"""The Pulumi program: one testnet from the document of this stack."""

import pulumi

from components import Testnet, cluster_provider

config = pulumi.Config("mina-infra")
document = config.require_object("testnet")
testnet = Testnet(document["name"], document, pulumi.ResourceOptions(provider=cluster_provider(config)))
pulumi.export("testnet", testnet.document)
