"""Between Python values and google.protobuf.Struct, which knows only null, booleans, doubles, text, lists and maps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value

_EXACT = 2.0**53


def struct_to_proto(values: Mapping[str, Any]) -> Struct:
    """A Struct of `values`: None, booleans, numbers, text, and lists and mappings of them.

    Tuples become lists. NaN and infinities become the text "nan", "inf" and "-inf", since a Struct that holds them has
    no JSON form. Raises TypeError for any other value.
    """
    return Struct(fields={key: _value(value) for key, value in values.items()})


def struct_from_proto(struct: Struct) -> dict[str, Any]:
    """The values of a Struct. Every number in it is a double, and the whole ones come back as int, 1.0 as well as 1.

    Whole numbers are exact up to 2^53; larger ones come back as the float that they are. Keys come in alphabetical
    order, since a Struct keeps none.
    """
    return {key: _plain(value) for key, value in sorted(struct.fields.items())}


def _value(value: Any) -> Value:
    if value is None:
        return Value(null_value=NULL_VALUE)
    if isinstance(value, bool):
        return Value(bool_value=value)
    if isinstance(value, int | float):
        return _number(float(value))
    if isinstance(value, str):
        return Value(string_value=value)
    if isinstance(value, Mapping):
        return Value(struct_value=struct_to_proto(value))
    if isinstance(value, list | tuple):
        return Value(list_value=ListValue(values=[_value(item) for item in value]))
    raise TypeError(f"{value!r} is not null, a boolean, a number, text, a list or a mapping")


def _number(value: float) -> Value:
    return Value(number_value=value) if math.isfinite(value) else Value(string_value=str(value))


def _plain(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "bool_value":
            return value.bool_value
        case "number_value":
            return _narrow(value.number_value)
        case "string_value":
            return value.string_value
        case "struct_value":
            return struct_from_proto(value.struct_value)
        case "list_value":
            return [_plain(item) for item in value.list_value.values]
        case _:
            return None


def _narrow(number: float) -> int | float:
    return int(number) if number.is_integer() and abs(number) <= _EXACT else number
