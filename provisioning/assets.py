"""Builds the files that are in the package but not in git: scripts, fonts, icons and compiled catalogues.

`make assets` runs it after `npm ci`. The sources are node_modules/ and the .po files; nothing is fetched here.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from fontTools.merge import Merger
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
WEB = ROOT / "hub/web/static"
NODES = ROOT / "nodes/assets"
CATALOGUES = (ROOT / "hub/web/locale", ROOT / "nodes/locale", ROOT / "demo/locale")

SCRIPTS = ("htmx.min.js", "ext/hx-ws.min.js")
WEIGHTS = (400, 500, 600, 700)

# Names of Lucide icons. If a page needs another icon, add its name here.
WEB_ICONS = (
    "armchair",
    "arrow-right-left",
    "calendar-clock",
    "check",
    "circle-check",
    "circle-help",
    "circle-pause",
    "clock",
    "corner-up-left",
    "door-closed",
    "door-open",
    "history",
    "info",
    "keyboard",
    "list",
    "log-out",
    "megaphone",
    "monitor",
    "pause",
    "play",
    "rotate-ccw",
    "search",
    "send",
    "ticket",
    "triangle-alert",
    "undo-2",
    "user",
    "user-check",
    "user-minus",
    "user-x",
    "wifi-off",
    "x",
)
# Icons of the displays, drawn white on transparent, to be tinted and scaled down. A stroke of 2.4 of 24 is legible from
# afar.
NODE_ICONS = (
    "door-open",
    "info",
    "triangle-alert",
    "users",
    "wifi-off",
)
NODE_ICON_PX = 480
NODE_ICON_STROKE = "2.4"
# SDL_image cannot read an arc whose two flags are not separated, as in `a2 2 0 00-2 2`.
ARC = re.compile(r"([aA]-?[\d.]+)[ ,]+(-?[\d.]+)[ ,]+(-?[\d.]+)[ ,]+([01])[ ,]?([01])[ ,]?")


class AssetMissing(FileNotFoundError):
    """A file that npm should have fetched is not there."""


def main() -> int:
    try:
        build_vendor()
        build_fonts()
        build_web_icons()
        build_node_icons()
    except AssetMissing as error:
        print(f"assets: {error}. `make assets` fetches it with `npm ci`, then builds the assets.", file=sys.stderr)
        return 1
    compile_catalogues()
    return 0


def source(path: str) -> Path:
    file = MODULES / path
    if not file.is_file():
        raise AssetMissing(f"{file.relative_to(ROOT)} is missing")
    return file


@contextmanager
def built(folder: Path) -> Iterator[Path]:
    """A new folder that replaces the old one once it is complete, since programs may be using the old one."""
    new, old = folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir(parents=True)
    yield new
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def build_vendor() -> None:
    with built(WEB / "vendor") as vendor:
        for name in SCRIPTS:
            shutil.copy(source(f"htmx.org/dist/{name}"), vendor)
        for weight in WEIGHTS:
            shutil.copy(woff2(weight), vendor / f"lexend-{weight}.woff2")
            # For visitors' names: the `latin` file has no š or ł.
            shutil.copy(woff2(weight, "latin-ext"), vendor / f"lexend-ext-{weight}.woff2")
        copy_licence("htmx.org", vendor / "htmx.LICENSE")
        copy_licence("@fontsource/lexend", vendor / "lexend.LICENSE")


def build_fonts() -> None:
    """TTF for pygame and Pillow, made from the web pages' font files so that all draw the same shapes."""
    with built(NODES / "fonts") as fonts:
        for weight in WEIGHTS:
            save_joined(woff2(weight), woff2(weight, "latin-ext"), fonts / f"Lexend-{weight}.ttf")
        copy_licence("@fontsource/lexend", fonts / "LICENSE")


def save_joined(first: Path, second: Path, into: Path) -> None:
    """Save the first font as TTF, with the characters that only the second has: Ÿ is in another file than É."""
    with TTFont(first) as font, TTFont(second) as more, TemporaryDirectory() as folder:
        made = font["head"].created, font["head"].modified
        only_second = Subsetter(Options(layout_features=["kern"]))
        only_second.populate(unicodes=more.getBestCmap().keys() - font.getBestCmap().keys())
        only_second.subset(more)
        parts = [Path(folder) / "first.ttf", Path(folder) / "second.ttf"]
        for each, part in zip((font, more), parts, strict=True):
            each.flavor = None
            each.save(part)
        joined = Merger().merge(parts)
        # Otherwise the font contains the time of the build, and no two builds are identical.
        joined.recalcTimestamp = False
        joined["head"].created, joined["head"].modified = made
        joined.save(into)


def woff2(weight: int, subset: str = "latin") -> Path:
    return source(f"@fontsource/lexend/files/lexend-{subset}-{weight}-normal.woff2")


def copy_licence(package: str, into: Path) -> None:
    shutil.copy(source(f"{package}/LICENSE"), into)


def build_web_icons() -> None:
    with built(WEB / "icons") as icons:
        for name in WEB_ICONS:
            shutil.copy(source(f"lucide-static/icons/{name}.svg"), icons)
        copy_licence("lucide-static", icons / "LICENSE")


def build_node_icons() -> None:
    # Set before the import, at which pygame prints a greeting.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    import pygame

    with built(NODES / "icons") as icons:
        for name in NODE_ICONS:
            svg = source(f"lucide-static/icons/{name}.svg").read_text(encoding="utf-8")
            drawn = pygame.image.load(BytesIO(for_display(svg).encode()), f"{name}.svg")
            pygame.image.save(drawn, icons / f"{name}.png")
        copy_licence("lucide-static", icons / "LICENSE")


def for_display(svg: str) -> str:
    """The SVG in white, with a wider stroke and the size of the PNG."""
    svg = ARC.sub(r"\1 \2 \3 \4 \5 ", svg.replace("currentColor", "#ffffff"))
    svg = re.sub(r'\b(width|height)="24"', rf'\1="{NODE_ICON_PX}"', svg, count=2)
    return re.sub(r'stroke-width="[^"]*"', f'stroke-width="{NODE_ICON_STROKE}"', svg, count=1)


def compile_catalogues() -> None:
    for catalogues in CATALOGUES:
        for po in sorted(catalogues.glob("*/LC_MESSAGES/*.po")):
            with po.open("rb") as text, po.with_suffix(".mo").open("wb") as compiled:
                write_mo(compiled, read_po(text, locale=po.parent.parent.name))


if __name__ == "__main__":
    sys.exit(main())
