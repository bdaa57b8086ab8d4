"""Settings from the environment: one variable per field, read and checked once, at start.

A settings class is a msgspec Struct; its field `state_dir` is read from `SUIVANT_STATE_DIR`. The field's annotation
holds its bounds and its meaning: `Annotated[int, Meta(ge=1, le=65535, description="…")]`. `Meta(extra={…})` may have:

- `"secret": True`: the value is never shown in an error.
- `"wanted": "…"`: replaces the generated description of a right value.
- `"unless_set": "…"`: replaces the help's word for a field without a value, `optional`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, UNSET, Meta, Struct, inspect

PREFIX = "SUIVANT_"
# The similarity of two names that differ by one slip in six letters. No two settings of different programs are this
# similar.
NEAR = 0.83

S = TypeVar("S", bound=Struct)


class WrongSetting(ValueError):
    """A setting that a program cannot start with.

    Holds the variable, its value (None: not set) and what would be right.
    """

    def __init__(self, variable: str, value: str | None, wanted: str) -> None:
        self.variable = variable
        self.value = value
        self.wanted = wanted
        found = f"{variable} is not set" if value is None else f"{variable} is {value!r}"
        super().__init__(f"{found}: it should be {wanted}")


class MisspeltSetting(WrongSetting):
    """A variable that no setting reads, but whose name is so similar to a setting's that it must be meant."""

    def __init__(self, variable: str, meant: str) -> None:
        super().__init__(variable, None, meant)
        self.args = (f"{variable} is not a setting: did you mean {meant}?",)


def unread(error: OSError | UnicodeError) -> str:
    """Why a file that a setting names can't be read. The path is left out: the caller's sentence already has it."""
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case PermissionError():
            return "this user may not read it"
        case IsADirectoryError():
            return "this is a folder"
        case UnicodeError():
            return "this one is not UTF-8"
    return (error.strerror or "it can't be read").lower()


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as a help text or a document shows it; `default` is None if it must be set.

    `unless_set`: what the help says if the default is empty.
    """

    variable: str
    default: str | None
    meaning: str
    wanted: str
    unless_set: str = "optional"

    @property
    def help_text(self) -> str:
        return f"  {self.variable}  {self.wanted} ({self._need})\n      {self.meaning}\n"

    @property
    def _need(self) -> str:
        if self.default is None:
            return "required"
        return f"default: {self.default}" if self.default else self.unless_set


def read(kind: type[S], environ: Mapping[str, str], *, prefix: str = PREFIX) -> S:
    """The settings of `kind`. A field whose variable is absent or empty keeps its default.

    Raises WrongSetting for the first required field that is missing, or whose value does not fit its type.
    """
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        variable = prefix + field.name.upper()
        text = environ.get(variable, "")
        if text:
            values[field.name] = _value(field.type, variable, text)
        elif field.required:
            raise WrongSetting(variable, None, wanted(field.type))
    return kind(**values)


def refuse_misspelt(environ: Mapping[str, str], settings: Iterable[Described]) -> None:
    """Raise MisspeltSetting for the first variable that is similar, but not equal, to one of `settings`.

    Other variables with the prefix are ignored: one file may hold those of several programs.
    """
    known = {each.variable.removeprefix(PREFIX): each.variable for each in settings}
    for variable in environ:
        name = variable.removeprefix(PREFIX)
        if name == variable or name in known:
            continue
        meant = get_close_matches(name, known, n=1, cutoff=NEAR)
        if meant:
            raise MisspeltSetting(variable, known[meant[0]])


def describe(kind: type[Struct], *, prefix: str = PREFIX) -> Iterator[Described]:
    """Every setting of `kind`, in the order of its fields."""
    for field in msgspec.structs.fields(kind):
        default = None if field.required else _default_text(field)
        meta = _meta(field.type)
        meaning = next((each.description for each in meta if each.description), "")
        unless_set = _said(meta, "unless_set") or "optional"
        yield Described(prefix + field.name.upper(), default, meaning, wanted(field.type), unless_set)


def like(pattern: str, words: str, *, max_length: int | None = None) -> Meta:
    """The Meta of a text: the pattern it must match, and the words by which `wanted` describes it to people."""
    return Meta(pattern=pattern, max_length=max_length, extra={"wanted": words})


def wanted(kind: Any) -> str:
    """What a value of this type looks like, in words: 'a whole number from 1 to 65535'."""
    return _said(_meta(kind), "wanted") or _words(inspect.type_info(kind))


def _said(notes: Iterable[Meta], key: str) -> str | None:
    """The text at `key` of the `extra` of a field's notes."""
    return next((str(each.extra[key]) for each in notes if each.extra and key in each.extra), None)


def _value(kind: Any, variable: str, text: str) -> Any:
    try:
        return msgspec.convert(text, kind, strict=False, dec_hook=_from_text)
    except (msgspec.ValidationError, ValueError) as error:
        secret = any((each.extra or {}).get("secret") for each in _meta(kind))
        raise WrongSetting(variable, "(not shown)" if secret else text, wanted(kind)) from error


def _from_text(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"settings of type {kind.__name__} are not supported")


def _default_text(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not NODEFAULT and field.default is not UNSET:
        value = field.default.value if isinstance(field.default, Enum) else field.default
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return str(field.default_factory()) if field.default_factory is not NODEFAULT else ""


def _meta(kind: Any) -> list[Meta]:
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        return [*_meta(inner), *(note for note in notes if isinstance(note, Meta))]
    return [meta for each in get_args(kind) for meta in _meta(each)]


def _words(info: inspect.Type) -> str:  # noqa: PLR0911 - one return per type
    match info:
        case inspect.Metadata():
            return _words(info.type)
        case inspect.UnionType():
            return " or ".join(_words(each) for each in info.types if not isinstance(each, inspect.NoneType))
        case inspect.IntType():
            return "a whole number" + _bounds(info)
        case inspect.FloatType():
            return "a number" + _bounds(info)
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return "one of " + ", ".join(str(each) for each in info.values)
        case inspect.EnumType():
            return "one of " + ", ".join(str(each.value) for each in info.cls)
        case inspect.CustomType() if info.cls is Path:
            return "a path"
        case inspect.StrType():
            return _text_words(info)
    return "text"


def _text_words(info: inspect.StrType) -> str:
    if info.pattern:
        return f"text that matches {info.pattern}"
    if info.max_length is not None:
        return f"text of at most {info.max_length} characters"
    return "text"


def _bounds(info: inspect.IntType | inspect.FloatType) -> str:
    least = info.ge if info.ge is not None else info.gt
    most = info.le if info.le is not None else info.lt
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is not None:
        return f" of at least {least}"
    return f" of at most {most}" if most is not None else ""
