"""Reads a YAML document into types: each scalar is taken as its literal text, then converted to its field's type.

YAML's own conversion is not used: it reads 8:30 as 510, the letter N as false and 01 as 1.
"""

import difflib
import re
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec
import yaml
from msgspec import Struct
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from hub.config.problems import Problem
from protocol.environment import wanted

# A place in the document: ("services", 2, "opens"), counted from 0.
Place = tuple[str | int, ...]


class _Broken(Enum):
    """Stands for a value that could not be read; its problem is in the document already."""

    BROKEN = "broken"


BROKEN: Final = _Broken.BROKEN

# Control characters, including line ends (a pattern's `$` would let a trailing one through), and lone surrogates, which
# YAML can write but UTF-8 cannot encode.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass
class Document:
    """What has been read of a document so far. `made`: every valid Struct, by its place."""

    problems: list[Problem] = field(default_factory=list)
    lines: dict[Place, int] = field(default_factory=dict)
    made: dict[Place, Struct] = field(default_factory=dict)
    # The `name` of the mapping at a place, if it has a readable one.
    names: dict[Place, str] = field(default_factory=dict)

    def tell(self, path: Place, what: str, *, line: int | None = None, warning: bool = False) -> None:
        key, what = (each.encode(errors="backslashreplace").decode() for each in (self.key(path), what))
        self.problems.append(Problem(line or self.line(path), key, what, warning))

    def line(self, path: Place) -> int:
        """The line of the place, or of the nearest enclosing place that the file contains."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def key(self, path: Place) -> str:
        """The place as a person writes it, with names where there are any, else counted from 1."""
        parts = (self.names.get(path[: end + 1], _counted(part)) for end, part in enumerate(path))
        return ".".join(parts)


# The rules for each type. A rule gets the document, the place and the Struct read there.
Rules = tuple[tuple[type[Struct], tuple[Callable[[Document, Place, Any], None], ...]], ...]


def check_each(document: Document, rules: Rules) -> None:
    """Apply `rules` to everything that was read; they add what is broken to the document's problems."""
    for place, made in document.made.items():
        for kind, those in rules:
            if isinstance(made, kind):
                for rule in those:
                    rule(document, place, made)


def compose(text: str) -> Node | None:
    """The document's root node; None if it is empty. Raises yaml.YAMLError."""
    return yaml.compose(text, Loader=yaml.SafeLoader)


def read_struct(document: Document, node: Node, kind: type[Struct], path: Place = ()) -> Any:
    """The Struct at `node`, or BROKEN. All problems, including those of its parts, go into the document."""
    document.lines.setdefault(path, _line(node))
    if not isinstance(node, MappingNode):
        document.tell(path, f"this should be keys with their values, each on its own line: {_keys(kind)}")
        return BROKEN
    name = next((child.value for key, child in node.value if key.value == "name"), None)
    if path and isinstance(name, str):
        document.names[path] = name
    found = _named_nodes(document, node, path)
    fields = {each.name: each for each in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for key, child in found.items():
        if key in fields:
            values[key] = _read(document, child, fields[key].type, (*path, key))
        else:
            document.tell((*path, key), f"there is no such key here{meant(key, list(fields))}")
            values[key] = BROKEN
    missing = [each for each in fields.values() if each.required and each.name not in found]
    for each in missing:
        document.tell(path, f"{each.name!r} is missing: {_words(each.type)}")
    if missing or BROKEN in values.values():
        return BROKEN
    document.made[path] = made = kind(**values)
    return made


def _named_nodes(document: Document, node: MappingNode, path: Place) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for key_node, child in node.value:
        key = str(key_node.value) if isinstance(key_node, ScalarNode) else "?"
        if key in found:
            document.tell((*path, key), "this key is given twice: keep one", line=_line(key_node))
            continue
        document.lines[*path, key] = _line(key_node)
        found[key] = child
    return found


def _read(document: Document, node: Node, kind: Any, path: Place) -> Any:
    bare = _without_meta(kind)
    options = get_args(bare) if get_origin(bare) in {Union, types.UnionType} else ()
    if type(None) in options:
        if _is_null(node):
            return None
        (kind,) = (each for each in options if each is not type(None))
        return _read(document, node, kind, path)
    if isinstance(bare, type) and issubclass(bare, Struct):
        return read_struct(document, node, bare, path)
    if get_origin(bare) is tuple:
        return _read_list(document, node, get_args(bare)[0], path)
    if get_origin(bare) is dict:
        return _read_table(document, node, get_args(bare), path)
    return _read_scalar(document, node, kind, path)


def _read_list(document: Document, node: Node, kind: Any, path: Place) -> Any:
    if not isinstance(node, SequenceNode):
        document.tell(path, f"this should be a list, with each item on a line that begins with '- ': {_words(kind)}")
        return BROKEN
    values = []
    for place, child in enumerate(node.value):
        document.lines[*path, place] = _line(child)
        values.append(_read(document, child, kind, (*path, place)))
    return BROKEN if BROKEN in values else tuple(values)


def _read_table(document: Document, node: Node, kinds: tuple[Any, Any], path: Place) -> Any:
    if not isinstance(node, MappingNode):
        document.tell(
            path, f"this should be keys with their values, each on its own line: {_words(kinds[1])} after each key"
        )
        return BROKEN
    found = _named_nodes(document, node, path)
    keys = [_convert(document, key, kinds[0], (*path, key)) for key in found]
    values = [_read(document, child, kinds[1], (*path, key)) for key, child in found.items()]
    return BROKEN if BROKEN in (*keys, *values) else dict(zip(keys, values, strict=True))


def _read_scalar(document: Document, node: Node, kind: Any, path: Place) -> Any:
    # This sets the line of values in a list alone: others already have the line of their key, where a person looks.
    document.lines.setdefault(path, _line(node))
    if not isinstance(node, ScalarNode):
        document.tell(path, f"this should be a single value: {_words(kind)}")
        return BROKEN
    return _convert(document, str(node.value), kind, path)


def _convert(document: Document, text: str, kind: Any, path: Place) -> Any:
    if _CONTROL.search(text):
        document.tell(path, f"{text!r} contains a control character, such as a line break: remove it")
        return BROKEN
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        document.tell(path, f"{text!r} should be {_words(kind)}{meant(text, _choices(kind))}")
        return BROKEN


def _words(kind: Any) -> str:
    """What a value of this type looks like, in words."""
    bare = _without_meta(kind)
    if isinstance(bare, type) and issubclass(bare, Struct):
        return _keys(bare)
    if get_origin(bare) is tuple:
        return f"a list of {_words(get_args(bare)[0])}"
    choices = _choices(kind)
    return f"one of {', '.join(choices)}" if choices else wanted(kind)


def _keys(kind: type[Struct]) -> str:
    return ", ".join(each.name for each in msgspec.structs.fields(kind) if each.required)


def _choices(kind: Any) -> list[str]:
    bare = _without_meta(kind)
    return [str(each.value) for each in bare] if isinstance(bare, type) and issubclass(bare, Enum) else []


def meant(found: str, choices: list[str]) -> str:
    """A suggestion of the choice nearest to `found`, as the end of a sentence; empty if none is near."""
    close = difflib.get_close_matches(found, choices, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _without_meta(kind: Any) -> Any:
    return _without_meta(get_args(kind)[0]) if get_origin(kind) is Annotated else kind


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style is None and node.value in {"", "~", "null", "Null", "NULL"}


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _counted(part: str | int) -> str:
    return str(part + 1) if isinstance(part, int) else part
