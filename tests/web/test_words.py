"""The catalogue contains every word that people read, and nothing else."""

import ast
import os
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

import demo
import hub
import hub.web
import nodes
from hub.queue.states import Event
from hub.web import words
from hub.web.desk.sentences import _EVENTS
from hub.web.words import clock, say, spaced, timer
from tests.web.stand import MORNING_MS

WEB = Path(hub.web.__file__).parent
CATALOGUE = WEB / "locale/fr/LC_MESSAGES/suivant.po"
CATALOGUES = sorted(
    catalogue for part in (hub, nodes, demo) for catalogue in Path(part.__path__[0]).rglob("fr/LC_MESSAGES/*.po")
)
# A punctuation mark with a plain space before it, or with none; in a time of day none is right. A plain space before a
# unit.
UNKEPT = re.compile(r"\s(?<!\u00a0)[:;?!»]|[^\W\d][:;?!](?=\s|$)|«[^\u00a0]|[^\u00a0]»| min\b")
TRIMMED = {"trim_blocks": "1", "lstrip_blocks": "1"}
# Text in a template that needs no translation.
MARKS = re.compile(r"^[\s·\d:.…/&;«»-]*$|^/api/v1/openapi.json$|^0:00$")


def said_by_templates() -> Iterator[str]:
    for file in WEB.glob("templates/**/*.html"):
        for _, call, message, _ in babel_extract(BytesIO(file.read_bytes()), ("_", "ngettext"), (), TRIMMED):
            texts = message if isinstance(message, tuple) else (message,)
            yield from [text for text in texts if text] if call == "ngettext" else texts[:1]


def said_by_code() -> Iterator[str]:
    """The texts given to `say`, and those in the tables from which it gets them."""
    for file in WEB.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if not any(isinstance(node, ast.alias) and node.name == "say" for node in ast.walk(tree)):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                yield from _texts(node.args[0])
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                yield from (text for value in node.value.values for text in _texts(value))
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp):
                yield from (*_texts(node.value.body), *_texts(node.value.orelse))


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if isinstance(node, ast.Call):
        for argument in node.args[1:]:
            yield from _texts(argument)
    if isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))


def test_every_event_at_a_desk_has_words_for_its_page() -> None:
    at_no_desk = {Event.ISSUE, Event.BOOK, Event.MOVE, Event.ADMIT, Event.DEFER}
    assert set(Event) - _EVENTS.keys() == at_no_desk


def test_every_word_has_its_french_and_no_entry_is_left_over() -> None:
    with CATALOGUE.open("rb") as file:
        entries = {str(entry.id): str(entry.string) for entry in read_po(file, locale="fr") if entry.id}
    used = {text for text in (*said_by_templates(), *said_by_code()) if text}
    assert used - entries.keys() == set()
    assert entries.keys() - used == set()
    assert [text for text, french in entries.items() if not french] == []


def test_french_keeps_the_holes() -> None:
    with CATALOGUE.open("rb") as file:
        entries = [(str(entry.id), str(entry.string)) for entry in read_po(file, locale="fr") if entry.id]
    holes = re.compile(r"%\(\w+\)s")
    for text, french in entries:
        assert sorted(holes.findall(text)) == sorted(holes.findall(french)), text


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda each: each.name)
def test_french_keeps_a_space_that_does_not_break_at_its_marks(catalogue: Path) -> None:
    with catalogue.open("rb") as file:
        said = [str(french) for entry in read_po(file, locale="fr") if entry.id for french in _forms(entry.string)]
    assert said
    assert [french for french in said if UNKEPT.search(french)] == []


def _forms(string: str | tuple[str, ...]) -> tuple[str, ...]:
    return (string,) if isinstance(string, str) else string


def test_what_another_program_said_stands_between_french_quotes() -> None:
    said = (WEB / "templates/panels/reports.html").read_text(encoding="utf-8")
    assert "«\u00a0<bdi" in said
    assert "</bdi>\u00a0»" in said


def test_the_dispenser_has_the_name_that_displays_send_visitors_to() -> None:
    assert [say("dispenser"), say("the dispenser")] == ["borne", "la borne"]


def test_templates_hold_no_words_of_their_own() -> None:
    code = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
    tag = re.compile(r"<[^>]*>", re.DOTALL)
    for file in WEB.glob("templates/**/*.html"):
        # Macros that write attributes do so outside a tag.
        text = re.sub(r"""\b[a-z:-]+=("[^"]*"|'[^']*')""", "", code.sub("", file.read_text(encoding="utf-8")))
        for line in tag.sub("\n", text).splitlines():
            assert MARKS.match(line), f"{file.name}: {line!r}"


def test_numbers_and_times_read_as_the_look_says() -> None:
    assert spaced("A012") == "A\u00a0012"
    assert spaced("B7K2") == "B7K2"
    assert clock(MORNING_MS, "Europe/Paris") == "8:30"
    assert clock(MORNING_MS + 7_000, "Europe/Paris", seconds=True) == "8:30:07"
    assert [timer(38_000), timer(372_000), timer(3_723_000), timer(-5)] == ["00:38", "06:12", "1:02:03", "00:00"]


def test_a_page_stays_as_it_was_when_the_program_is_replaced_under_it(tmp_path, monkeypatch):
    """A page of the next version may need what this version does not know."""
    (tmp_path / "locale").symlink_to(WEB / "locale")
    page = tmp_path / "templates/page.html"
    page.parent.mkdir()
    page.write_text("as it was", encoding="utf-8")
    monkeypatch.setattr(words, "_HERE", tmp_path)
    pages = words.environment({}, "")
    assert pages.get_template(page.name).render() == "as it was"
    page.write_text("{{ of_the_next_version }}", encoding="utf-8")
    os.utime(page, (0, 0))
    assert pages.get_template(page.name).render() == "as it was"
