"""Words and times as people read them: the catalogue, and the filters that templates and sentences share."""

from collections.abc import Callable, Mapping
from functools import cache
from gettext import translation
from pathlib import Path

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from hub.queue.hours import local

_HERE = Path(__file__).parent
LANGUAGE = "fr"

Say = Callable[..., str]


class CatalogueMissing(RuntimeError):
    """The compiled catalogue is not there."""


@cache
def _translations() -> Callable[[str], str]:
    try:
        return translation("suivant", _HERE / "locale", [LANGUAGE]).gettext
    except FileNotFoundError:
        raise CatalogueMissing(f"no compiled {LANGUAGE} catalogue in {_HERE / 'locale'}: run `make assets`") from None


def say(msgid: str, /, **facts: object) -> str:
    """Translate a sentence into the page's language and fill its placeholders."""
    text = _translations()(msgid)
    return text % facts if facts else text


def clock(moment_ms: int, zone: str, *, seconds: bool = False) -> str:
    """A local time of day: `8:30`, `10:42:07`."""
    at = local(moment_ms, zone)
    return f"{at.hour}:{at:%M:%S}" if seconds else f"{at.hour}:{at:%M}"


def spaced(number: str) -> str:
    """Write a number for people, `A 012`; a booking's label stays unchanged."""
    if len(number) > 1 and number[0].isalpha() and number[1:].isdecimal():
        return f"{number[0]}\u00a0{number[1:]}"
    return number


def timer(span_ms: int) -> str:
    """A running time: `00:38`, `1:02:03`."""
    seconds = max(0, span_ms) // 1000
    hours, seconds = divmod(seconds, 3600)
    return f"{hours}:{seconds // 60:02}:{seconds % 60:02}" if hours else f"{seconds // 60:02}:{seconds % 60:02}"


def span(span_ms: int) -> str:
    """A span in minutes and seconds, `5:00`."""
    return f"{span_ms // 60_000}:{span_ms // 1000 % 60:02}"


def minutes(span_ms: int) -> int:
    return max(0, span_ms) // 60_000


@cache
def icon(name: str) -> Markup:
    """A Lucide icon, inline and in the text's colour. It is hidden from assistive tools: a word is beside it."""
    file = _HERE / "static/icons" / f"{name}.svg"
    svg = file.read_text(encoding="utf-8")
    drawing = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    return Markup('<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>').format(
        Markup(" ".join(drawing.split()))  # noqa: S704 - a file of ours
    )


class _CompiledOnce(BytecodeCache):
    """Compiled templates, shared by all environments of a process: only the data in their filters differs."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


_compiled = _CompiledOnce()


def environment(filters: Mapping[str, Callable[..., object]], base: str) -> Environment:
    """Create the templates' environment: values are escaped, words come from the catalogue. `base`: the path prefix."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        bytecode_cache=_compiled,
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]
        _translations(), lambda one, many, count: _translations()(one if count == 1 else many), newstyle=True
    )
    made.globals.update(icon=icon, base=base)
    made.filters.update({"spaced": spaced, "timer": timer, "span": span, "minutes": minutes, **filters})
    return made
