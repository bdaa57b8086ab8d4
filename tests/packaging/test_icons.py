"""Every icon that a screen draws is shipped, and no other: a missing one breaks the page that draws it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, nodes

from provisioning.assets import NODE_ICONS, WEB_ICONS

ROOT = Path(__file__).parents[2]
# The demo's page draws the hub's icons.
TEMPLATES = (*ROOT.glob("hub/web/templates/**/*.html"), *ROOT.glob("demo/page/*.html"))
# The position of the argument that names the icon.
NAMED_BY = {"icon": 0, "action": 3}


def drawn_by_templates() -> Iterator[str]:
    for file in TEMPLATES:
        for call in Environment(autoescape=True).parse(file.read_text(encoding="utf-8")).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in NAMED_BY:
                # Wrapped in a list, so that the search finds a plain name as well as the names in a condition.
                names = nodes.List([call.args[NAMED_BY[call.node.name]]]).find_all(nodes.Const)
                yield from (each.value for each in names)


def drawn_by_displays() -> Iterator[str]:
    for file in ROOT.glob("nodes/display/**/*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "icon":
                yield ast.literal_eval(call.args[0])


def test_each_icon_of_a_page_is_shipped_and_no_other() -> None:
    assert set(drawn_by_templates()) == set(WEB_ICONS)


def test_each_icon_of_a_display_is_shipped_and_no_other() -> None:
    assert set(drawn_by_displays()) == set(NODE_ICONS)
