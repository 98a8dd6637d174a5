"""Python values as data of the interface: JSON, and objects with one `$` member for what JSON does not have.

Nothing is ever pickled: data is read without executing anything.
"""

import base64
import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from uuid import UUID

# Far more than data needs, and far less than the stack has room for.
MAX_DEPTH = 200


class NoData(Exception):
    """A value, or a text, that is no data. The message has the path."""


def decode(text):
    """The value of a data text."""
    try:
        return json.loads(text, object_pairs_hook=_untag)
    except NoData:
        raise
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise NoData(str(error)) from None


def encode(value):
    """The data text of a value. Of types that derive from these, the base counts."""
    return json.dumps(_tag(value, "result", 0), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _tag(value, path, depth):
    if depth > MAX_DEPTH:
        raise NoData(f"{_short(path)}: nested deeper than {MAX_DEPTH}, or contains itself")
    match value:
        case None | bool():
            return value
        case int():
            return int(value)
        case float():
            return float(value) if isfinite(value) else {"$float": {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")}
        case str():
            return _text(value, path)
        case list():
            return [_tag(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
        case dict():
            return _object(value, path, depth)
        case tuple():
            return {"$tuple": [_tag(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]}
        case bytes() | bytearray() | memoryview():
            return {"$bytes": base64.b64encode(value).decode()}
        case set() | frozenset():
            # The order of a set means nothing, so equal sets have equal texts.
            items = [_tag(item, f"{path}{{…}}", depth + 1) for item in value]
            name = "$set" if isinstance(value, set) else "$frozenset"
            return {name: sorted(items, key=lambda item: json.dumps(item, sort_keys=True))}
    for name, (kind, write, _) in _TAGS.items():
        if isinstance(value, kind):
            return {name: write(value)}
    hint = ": return a list" if hasattr(value, "__next__") else ""
    raise NoData(f"{_short(path)}: {type(value).__module__}.{type(value).__qualname__} is no data{hint}")


def _object(value, path, depth):
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {_text(key, path): _tag(item, f"{path}[{key!r}]", depth + 1) for key, item in value.items()}
    pairs = value.items()
    return {"$object": [[_tag(key, f"{path} key", depth + 1), _tag(item, f"{path}[{_short(repr(key))}]", depth + 1)] for key, item in pairs]}


def _text(value, path):
    value = str.__str__(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NoData(f"{_short(path)}: the text has half of a surrogate pair, which is no Unicode text") from None
    return value


def _untag(pairs):
    if len(pairs) != 1 or not pairs[0][0].startswith("$"):
        return dict(pairs)
    name, value = pairs[0]
    try:
        match name:
            case "$float":
                return {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}[value]
            case "$bytes":
                return base64.b64decode(value, validate=True)
            case "$tuple":
                return tuple(value)
            case "$set":
                return set(value)
            case "$frozenset":
                return frozenset(value)
            case "$object":
                return {key: item for key, item in value}
        return _TAGS[name][2](value)
    except Exception as error:  # whatever a constructor says about a value that does not fit
        expected = ", ".join(["$float", "$bytes", "$tuple", "$set", "$frozenset", "$object", *_TAGS])
        known = f": {error}" if name in expected.split(", ") else f": expected one of {expected}"
        raise NoData(f"the tag {name!r} with {_short(json.dumps(value, default=str))}{known}") from None


def _short(text):
    return text if len(text) <= 100 else f"{text[:99]}…"


def _seconds(value):
    return [value.days, value.seconds, value.microseconds]


# A datetime is a date, so it comes first.
_TAGS = {
    "$complex": (complex, lambda value: [repr(value.real), repr(value.imag)], lambda parts: complex(float(parts[0]), float(parts[1]))),
    "$decimal": (Decimal, str, Decimal),
    "$fraction": (Fraction, str, Fraction),
    "$datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "$date": (date, date.isoformat, date.fromisoformat),
    "$time": (time, time.isoformat, time.fromisoformat),
    "$timedelta": (timedelta, _seconds, lambda parts: timedelta(*parts)),
    "$uuid": (UUID, str, UUID),
}
