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

# How many levels of JSON may be around a value. The host reads 127 levels, with those that it puts around a result.
MAX_DEPTH = 120


class NoData(Exception):
    """A value, or a text, that cannot be data. The message has the path."""


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
    # `depth` counts levels of JSON, of which a value with a tag has several.
    if depth > MAX_DEPTH:
        raise NoData(f"{_short(path)}: nested deeper than {MAX_DEPTH} levels of JSON, or contains itself")
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
            return {"$tuple": [_tag(item, f"{path}[{index}]", depth + 2) for index, item in enumerate(value)]}
        case bytes() | bytearray() | memoryview():
            return {"$bytes": base64.b64encode(value).decode()}
        case set() | frozenset():
            # The order of a set means nothing, so equal sets have equal texts.
            items = [_tag(item, f"{path}{{…}}", depth + 2) for item in value]
            name = "$set" if isinstance(value, set) else "$frozenset"
            return {name: sorted(items, key=lambda item: json.dumps(item, sort_keys=True))}
    for name, (kind, write) in _TAGS.items():
        if isinstance(value, kind):
            return {name: write(value)}
    hint = ": return a list" if hasattr(value, "__next__") else ""
    kind = type(value).__qualname__ if type(value).__module__ == "builtins" else f"{type(value).__module__}.{type(value).__qualname__}"
    raise NoData(f"{_short(path)}: {'an' if kind[:1].lower() in 'aeiou' else 'a'} {_short(kind)} cannot be data{hint}")


def _object(value, path, depth):
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {_text(key, path): _tag(item, f"{path}[{key!r}]", depth + 1) for key, item in value.items()}
    pairs = [(_tag(key, f"{path} key", depth + 3), _tag(item, f"{path}[{_short(repr(key))}]", depth + 3)) for key, item in value.items()]
    return {"$object": [list(pair) for pair in pairs]}


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
    tag, content = pairs[0]
    if tag not in _READ:
        known = ", ".join(_READ)
        raise NoData(f'there is no tag {_short(tag)} in Python: expected one of {known}; an object with such a member is {{"$object": [[KEY, VALUE]]}}')
    expected, read = _READ[tag]
    try:
        return read(content)
    except Exception:  # whatever a constructor says about a value that does not fit
        raise NoData(f"the tag {tag}: expected {expected}, found {_shown(content)}") from None


def _shown(content):
    try:
        return _short(encode(content))
    except NoData:  # nested too deep, or half a surrogate pair in it
        return f"a {type(content).__name__}"


def _short(text):
    return text if len(text) <= 100 else f"{text[:99]}…"


def _seconds(value):
    return [value.days, value.seconds, value.microseconds]


# A datetime is a date, so it comes first.
_TAGS = {
    "$complex": (complex, lambda value: [repr(value.real), repr(value.imag)]),
    "$decimal": (Decimal, str),
    "$fraction": (Fraction, str),
    "$datetime": (datetime, datetime.isoformat),
    "$date": (date, date.isoformat),
    "$time": (time, time.isoformat),
    "$timedelta": (timedelta, _seconds),
    "$uuid": (UUID, str),
}


def _items(make):
    return lambda content: make(_list(content))


def _list(content):
    if not isinstance(content, list):
        raise TypeError
    return content


def _string(make):
    def read(content):
        if not isinstance(content, str):
            raise TypeError
        return make(content)

    return read


def _complex(content):
    real, imaginary = _list(content)
    return complex(float(real), float(imaginary))


def _timedelta(content):
    days, seconds, microseconds = _list(content)
    return timedelta(days, seconds, microseconds)


# For each tag what is expected in it, in the same words as in JavaScript, and its value; an exception if it does not fit.
_READ = {
    "$float": ('"NaN", "Infinity" or "-Infinity"', {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}.__getitem__),
    "$bytes": ("a string in base64 with padding", _string(lambda content: base64.b64decode(content, validate=True))),
    "$tuple": ("an array", _items(tuple)),
    "$set": ("an array of hashable values", _items(set)),
    "$frozenset": ("an array of hashable values", _items(frozenset)),
    "$object": ("an array of pairs [KEY, VALUE] with hashable keys", _items(lambda pairs: {key: value for key, value in map(_list, pairs)})),
    "$complex": ('an array of two numbers as strings, such as ["1.0", "0.0"]', _complex),
    "$decimal": ('a number as a string, such as "1.50"', _string(Decimal)),
    "$fraction": ('a fraction as a string, such as "1/3"', _string(Fraction)),
    "$datetime": ('a date and time as a string, such as "2026-01-31T12:30:00+00:00"', _string(datetime.fromisoformat)),
    "$date": ('a date as a string, such as "2026-01-31"', _string(date.fromisoformat)),
    "$time": ('a time as a string, such as "12:30:00"', _string(time.fromisoformat)),
    "$timedelta": ("an array of three integers [DAYS, SECONDS, MICROSECONDS]", _timedelta),
    "$uuid": ("a UUID as a string", _string(UUID)),
}
