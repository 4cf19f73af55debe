"""Value types of the spec: sizes, durations, hosts and networks, written as operators write them."""

from __future__ import annotations

import ipaddress
import math
import re
from fractions import Fraction
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


class _Text(str):
    """A string that keeps how the user wrote it and is checked when it is made.

    `pattern` has two groups, number and unit, and anchors for the JSON Schema, whose patterns match anywhere.
    """

    pattern: str
    example: str

    def __new__(cls, text: str) -> _Text:
        match = re.fullmatch(cls.pattern, text) if isinstance(text, str) else None
        if match is None or not Fraction(match[1]):
            raise ValueError(f"{text!r} is not a {cls.__name__.lower()}; write it like {cls.example}")
        return super().__new__(cls, text)

    def _parts(self) -> tuple[Fraction, str]:
        match = re.fullmatch(self.pattern, self)
        assert match
        return Fraction(match[1]), match[2]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": cls.pattern, "examples": [cls.example]}


class Size(_Text):
    """An amount of storage or memory, more than zero, as a Kubernetes quantity: 2Gi, 512Mi."""

    pattern = r"^([0-9]{1,12}(?:\.[0-9]{1,9})?)(Ki|Mi|Gi|Ti|k|M|G|T)$"
    example = "2Gi"

    @property
    def bytes(self) -> int:
        """Whole bytes, rounded up as Kubernetes rounds."""
        number, unit = self._parts()
        return math.ceil(number * _UNITS[unit])

    @property
    def gib(self) -> int:
        """Whole GiB, rounded up: what providers bill."""
        return -(-self.bytes // 2**30)


def bytes_of(quantity: str) -> int:
    """Whole bytes of a quantity as the API server writes it, which may be a plain number. Raises ValueError."""
    return int(quantity) if quantity.isdigit() else Size(quantity).bytes


class Duration(_Text):
    """A length of time, more than zero: 90s, 30m, 72h, 7d."""

    pattern = r"^([0-9]{1,9})(s|m|h|d)$"
    example = "72h"

    @property
    def seconds(self) -> int:
        number, unit = self._parts()
        return int(number) * _SECONDS[unit]


def number(value: Any) -> Any:
    """The value, unless it is true or false, which pydantic would take for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def number_text(value: Any) -> Any:
    """A number as its text: YAML reads `cpu: 2` as a number, Kubernetes wants a quantity."""
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value


def host(text: str) -> str:
    """An IP address or DNS name. Raises ValueError."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        # A name of digits and dots only is a mistyped address, whatever the DNS allows.
        if len(text) > 253 or not _HOST.fullmatch(text) or re.fullmatch(r"[0-9.]+", text):
            raise ValueError("must be an IP address or a DNS name in lower case") from None
    return text


def network(text: str) -> str:
    """An address range in CIDR notation. Raises ValueError."""
    try:
        ipaddress.ip_network(text if "/" in text else f"{text}/")  # an address alone would be a range of one
    except ValueError as error:
        raise ValueError(f"must be an address range such as 10.0.0.0/8 ({error})") from None
    return text
