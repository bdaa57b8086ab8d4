"""docs/ describes each key of the site file, each field on the wire, and each reason and outcome."""

import re
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from hub.database import faults
from hub.metrics import BadReason, Outcome
from hub.site import Desk, Hall, Help, LdapDirectory, Login, Node, RoleGroups, Service, Site
from protocol import messages

DOCS = Path(__file__).parents[2] / "docs"


def words(document: str) -> set[str]:
    """All text in backquotes, also split at commas."""
    text = (DOCS / document).read_text(encoding="utf-8")
    return {word.strip("`, :") for code in re.findall(r"`([^`\n]+)`", text) for word in [code, *code.split(", ")]}


@pytest.mark.parametrize("kind", [Site, Hall, Service, Desk, Help, Node, Login, LdapDirectory, RoleGroups])
def test_every_key_of_the_site_file_is_documented(kind: type[Struct]) -> None:
    assert {field.name for field in msgspec.structs.fields(kind)} <= words("configuration.md")


def message_kinds() -> list[type[Struct]]:
    found = [each for each in vars(messages).values() if isinstance(each, type) and issubclass(each, Struct)]
    return [each for each in found if each is not Struct and not each.__name__.startswith("_")]


@pytest.mark.parametrize("kind", message_kinds())
def test_every_field_on_the_wire_is_documented(kind: type[Struct]) -> None:
    known = words("protocol.md")
    assert {field.name for field in msgspec.structs.fields(kind)} <= known
    tag = kind.__struct_config__.tag
    assert tag is None or tag in known


def test_every_reason_and_outcome_is_documented() -> None:
    assert {*BadReason, *Outcome} <= words("metrics.md")


def test_what_a_database_fault_says_is_a_sentence_that_ends_in_what_to_do() -> None:
    kinds = [
        each for each in vars(faults).values() if isinstance(each, type) and issubclass(each, faults.DatabaseFault)
    ]
    for kind in kinds:
        said = str(kind("suivant.db", "the cause"))
        assert "suivant.db" in said
        assert "the cause" in said
        assert kind is faults.DatabaseFault or ":" in said
