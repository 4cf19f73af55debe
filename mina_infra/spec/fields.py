"""What the fields of a document are made of: kinds of text with their patterns, and the base of its models."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel

from mina_infra.spec.values import host, network, number, number_text

DNS_LABEL = r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$"
PEER_ID = r"^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$"
IMAGE = (
    r"^[a-z0-9][a-z0-9._-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?"
    r"(@sha256:[0-9a-f]{64})?$"
)
DIGEST = r"^sha256:[0-9a-f]{64}$"
FILE_SYSTEM = r"^fs-[0-9a-f]{8,40}$"
IPV4 = r"^(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}$"
MACHINE = r"^[A-Za-z][A-Za-z0-9]*([-._][A-Za-z0-9]+)+$"
CPU = r"^[0-9]{1,6}(\.[0-9]{1,3}|m)?$"
EXISTING = r"^([a-z0-9-]{1,63}/)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
BUCKET = r"^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$"
IDENTITY = r"^[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z][a-z0-9-]{4,28}[a-z0-9]\.iam\.gserviceaccount\.com$"
KUBERNETES = r"^1\.[0-9]{1,3}$"
VERSION = r"^[0-9]+\.[0-9]+(\.[0-9]+)?([-+~][0-9A-Za-z.+~-]*)?$"

# Names end in those of claims and in labels (docs/facts.md: refusal/V40).
PATTERNS = {
    DNS_LABEL: "must be at most 30 lower-case letters, digits and '-', begin with a letter and not end with '-'",
    PEER_ID: "must be a libp2p peer id of an Ed25519 key: 12D3KooW and 44 more characters",
    IMAGE: "must be an image reference, for example registry.example/mina-daemon:3.0.1 or ...@sha256:<64 hex digits>",
    FILE_SYSTEM: "must be the id of an EFS file system: fs- and hex digits",
    IPV4: "must be an IPv4 address such as 203.0.113.7",
    EXISTING: "must be the name of a Kubernetes object: lower-case letters, digits, '-' and '.'",
    BUCKET: "must be the name of a bucket: lower-case letters, digits, '-', '_' and '.'",
    IDENTITY: "must be a Google service account: name@project.iam.gserviceaccount.com",
    KUBERNETES: 'must be a release of Kubernetes such as "1.35", in quotes',
    DIGEST: "must be a digest: sha256: and 64 hex digits",
    MACHINE: "must be a machine type such as n2-standard-8, m6i.2xlarge or Standard_D8s_v5",
    CPU: "must be a number of cores such as 2, 0.5 or 500m",
    VERSION: "must be a release such as 3.0.1",
}
"""What each pattern means, for the reader of an error."""

DnsLabel = Annotated[str, StringConstraints(pattern=DNS_LABEL)]
PeerId = Annotated[str, StringConstraints(pattern=PEER_ID)]
ImageRef = Annotated[str, StringConstraints(pattern=IMAGE)]
Digest = Annotated[str, StringConstraints(pattern=DIGEST)]
ExistingName = Annotated[str, StringConstraints(pattern=EXISTING)]
Version = Annotated[str, StringConstraints(pattern=VERSION)]
Host = Annotated[str, AfterValidator(host)]
IPv4 = Annotated[str, StringConstraints(pattern=IPV4)]
Network = Annotated[str, AfterValidator(network)]
Cores = Annotated[
    str,
    StringConstraints(pattern=CPU),
    BeforeValidator(number_text),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": CPU}, {"type": "number", "exclusiveMinimum": 0}]}),
]
Number = BeforeValidator(number)


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True, extra="forbid",
        use_attribute_docstrings=True,
    )  # fmt: skip
