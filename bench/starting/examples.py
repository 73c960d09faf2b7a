"""Example data for a handler: a value for a field, by its type, by what is done to it, or by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.starting.secret_values import words_of

#: The words of fields that are numbers, if nothing else says what they are.
_NUMBERS = frozenset({
    "age", "amount", "count", "height", "index", "limit", "n", "number", "offset", "page", "price", "quantity",
    "seat", "size", "timestamp", "ts", "width", "x", "y", "z",
})  # fmt: skip

#: The values of fields by the words of their names, if nothing else says what they are.
TEXTS = {
    "room": "lobby", "channel": "lobby", "name": "Ada", "user": "Ada", "username": "Ada", "email": "ada@example.com",
    "id": "1", "lang": "en",
}  # fmt: skip


#: The values of simple types.
SIMPLE_VALUES: dict[str, Any] = {
    "str": "hello", "int": 1, "float": 1.5, "bool": True, "bytes": b"hello", "list": [], "dict": {},
    "uuid": "00000000-0000-4000-8000-000000000000",
}  # fmt: skip


def example_of_type(name: str, type_: Any) -> Any:
    """Return a value of a type for a field: a word for a simple type, the fields of a model, or a literal."""
    if isinstance(type_, Mapping):
        if "literal" in type_:
            return type_["literal"]
        if "list" in type_:
            return [example_of_type(name, type_["list"])]
        if "simple" in type_:
            return _within(example_of(name, type_["simple"], set()), type_["limits"])
        return {key: example_of_type(key, inner) for key, inner in type_["fields"].items()}
    return example_of(name, type_, set())


def _within(value: Any, limits: Mapping[str, float]) -> Any:
    """Return a value within the limits of its field."""
    if isinstance(value, str):
        least, most = int(limits.get("min_length", 0)), int(limits.get("max_length", len(value) + 1_000))
        return (value + value * (least // max(1, len(value))))[: max(least, min(most, len(value)))]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    step = 1 if isinstance(value, int) else 0.5
    lows = [limits[name] + (step if name == "gt" else 0) for name in ("ge", "gt") if name in limits]
    highs = [limits[name] - (step if name == "lt" else 0) for name in ("le", "lt") if name in limits]
    return type(value)(min([max([value, *lows]), *highs]))


def example_of(name: str, type_: str | None, uses: set[str]) -> Any:
    """Return a value for a field, by its type, by what is done to it, or by its name."""
    words = words_of(name)
    if type_ == "str" or "text" in uses:
        return next((TEXTS[word] for word in words if word in TEXTS), "hello")
    if type_ is not None:
        return SIMPLE_VALUES.get(type_)
    if "number" in uses:
        return 1
    if "list" in uses:
        return []
    if words and words[-1] in _NUMBERS:
        return 1
    return next((TEXTS[word] for word in words if word in TEXTS), "hello")
