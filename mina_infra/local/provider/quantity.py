"""Kubernetes quantities in the one spelling in which the API types write them (apimachinery/pkg/api/resource)."""

from __future__ import annotations

import re
from decimal import ROUND_UP, Context, Decimal, localcontext

_FORM = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(|[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_NAMES = {exponent: name for name, exponent in _DECIMAL.items()}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_NANO = Decimal("1e-9")


def canonical(text: str) -> str:
    """`1024Mi` → `1Gi`, `0.5` → `500m`, `1000` → `1k`; finer than nano is rounded up. Raises ValueError."""
    match = _FORM.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a quantity")
    sign, digits, suffix = match.groups()
    with localcontext(Context(prec=60)):
        number = Decimal(digits)
        if suffix.endswith("i"):
            number *= Decimal(1024) ** _BINARY.index(suffix)
        elif suffix in _DECIMAL:
            number = number.scaleb(_DECIMAL[suffix])
        else:
            number = number.scaleb(int(suffix[1:]))
        number = number.quantize(_NANO, rounding=ROUND_UP)
        if not number:
            return "0"
        sign = "-" if sign == "-" else ""
        if suffix.endswith("i") and number >= 1024 and number == number.to_integral_value():
            return sign + _binary(int(number))
        return sign + _decimal(number, exponent_form=suffix[:1] in "eE" and suffix not in ("", "E", "Ei"))


def _binary(number: int) -> str:
    power = 0
    while number % 1024 == 0 and power < len(_BINARY) - 1:
        number //= 1024
        power += 1
    return f"{number}{_BINARY[power]}"


def _decimal(number: Decimal, *, exponent_form: bool) -> str:
    mantissa, exponent = int(number.scaleb(9)), -9
    while mantissa % 10 == 0:
        mantissa //= 10
        exponent += 1
    while exponent % 3 or exponent > 18:
        mantissa *= 10
        exponent -= 1
    if exponent_form:
        return f"{mantissa}e{exponent}" if exponent else str(mantissa)
    return f"{mantissa}{_DECIMAL_NAMES[exponent]}"
