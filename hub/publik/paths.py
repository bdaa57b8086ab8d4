"""Paths to values in a form's JSON: keys joined by dots; a number is a list index from 0."""

from collections.abc import Iterator
from typing import Any


def value_at(document: Any, path: str) -> Any:
    """Return the value at a path; None if there is none."""
    value = document
    for key in path.split("."):
        value = _below(value, key)
    return value


def tables_above(document: Any, path: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects along the path, without the document itself."""
    value = document
    for key in path.split("."):
        value = _below(value, key)
        if isinstance(value, dict):
            yield value


def text_at(document: Any, path: str) -> str | None:
    """Return a string or integer as text; None if there is none or it is blank."""
    value = value_at(document, path)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _below(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and key.isascii() and key.isdigit() and int(key) < len(value):
        return value[int(key)]
    return None
