"""The demo's page as HTML. Its live content comes over its WebSocket."""

import gettext
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from demo.hall import Hall
from demo.people import GUESTS, PASSWORD

HERE = Path(__file__).parent
PAGE = HERE / "page"
LOCALE = HERE / "locale"
# The fonts and icons that the project's pages share.
WEB_STATIC = HERE.parent / "hub/web/static"
LOGO = HERE.parent / "nodes/display/logo.svg"


def render(hall: Hall, *, hub: str, speed: int, language: str) -> str:
    """Render the page. `hub`: the address of the hub's pages. A language without a catalogue gives English."""
    return _template("hall.html", language).render(
        hall=hall, hub=hub, speed=speed, guests=GUESTS, password=PASSWORD, icon=_icon
    )


def render_unknown(language: str) -> str:
    """Render the page for unknown addresses."""
    return _template("unknown.html", language).render()


def _template(name: str, language: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, extensions=["jinja2.ext.i18n"]
    )
    catalogue = gettext.translation("demo", LOCALE, languages=[language], fallback=True)
    environment.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
    return environment.get_template(name, globals={"language": language, "logo": _icon_file(LOGO)})


def _icon(name: str) -> Markup:
    return _icon_file(WEB_STATIC / "icons" / f"{name}.svg")


def _icon_file(file: Path) -> Markup:
    svg = file.read_text(encoding="utf-8")
    return Markup(svg.replace("<svg", '<svg aria-hidden="true"', 1))  # noqa: S704, a file of ours
