"""Value types of the spec: a size in bytes and a duration in seconds, written as operators write them."""

from __future__ import annotations

import math
import re
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|k|M|G|T)$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"^(\d+)(s|m|h|d)$")


class _Text(str):
    """A string that keeps how the user wrote it and is checked when it is made."""

    pattern: re.Pattern[str]
    example: str

    def __new__(cls, text: str) -> _Text:
        if not isinstance(text, str) or not cls.pattern.match(text):
            raise ValueError(f"{text!r} is not a {cls.__name__.lower()}; write it like {cls.example}")
        return super().__new__(cls, text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": cls.pattern.pattern, "examples": [cls.example]}


class Size(_Text):
    """An amount of storage or memory as a Kubernetes quantity: 2Gi, 512Mi."""

    pattern = _SIZE
    example = "2Gi"

    @property
    def bytes(self) -> int:
        match = _SIZE.match(self)
        assert match
        return math.ceil(float(match[1]) * _UNITS[match[2]])

    @property
    def gib(self) -> int:
        """Whole GiB, rounded up: what providers bill."""
        return math.ceil(self.bytes / 2**30)


class Duration(_Text):
    """A length of time: 90s, 30m, 72h, 7d."""

    pattern = _DURATION
    example = "72h"

    @property
    def seconds(self) -> int:
        match = _DURATION.match(self)
        assert match
        return int(match[1]) * _SECONDS[match[2]]
