from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct

from hub.settings import HubSettings
from hub.settings import described_settings as hub_settings
from nodes.__main__ import ROLES, _all_settings
from nodes.display.window import DisplaySettings
from nodes.display.words import WordsSettings
from nodes.settings import NodeSettings
from nodes.ticket_printer.app import PrinterSettings
from protocol.environment import WrongSetting, describe, read, refuse_misspelt


class Mood(StrEnum):
    CALM = "calm"
    LOUD = "loud"


class Example(Struct, frozen=True, kw_only=True):
    town: Annotated[str, Meta(max_length=10, description="name of the town")]
    broker_port: Annotated[int, Meta(ge=1, le=65535, description="port of the broker")] = 1883
    state_dir: Path = Path("/var/lib/example")
    mood: Mood = Mood.CALM
    log: Literal["json", "console"] = "json"
    quiet: bool = False
    rate: Annotated[float, Meta(gt=0)] | None = None
    password: Annotated[str, Meta(max_length=5, extra={"secret": True})] = ""
    name: Annotated[str, Meta(pattern="^[a-z]+$", extra={"wanted": "lower-case letters"})] = "a"


def test_each_field_is_read_from_the_variable_of_its_name():
    environ = {
        "SUIVANT_TOWN": "Exempleville"[:7],
        "SUIVANT_BROKER_PORT": "8883",
        "SUIVANT_STATE_DIR": "/tmp/x",
        "SUIVANT_MOOD": "loud",
        "SUIVANT_QUIET": "true",
        "SUIVANT_RATE": "1.5",
    }
    assert read(Example, environ) == Example(
        town="Exemple", broker_port=8883, state_dir=Path("/tmp/x"), mood=Mood.LOUD, quiet=True, rate=1.5
    )


def test_what_is_absent_or_empty_keeps_its_default():
    assert read(Example, {"SUIVANT_TOWN": "X", "SUIVANT_BROKER_PORT": ""}).broker_port == 1883


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("TOWN", None, "SUIVANT_TOWN is not set: it should be text of at most 10 characters"),
        ("BROKER_PORT", "0", "SUIVANT_BROKER_PORT is '0': it should be a whole number from 1 to 65535"),
        ("BROKER_PORT", "1883a", "SUIVANT_BROKER_PORT is '1883a': it should be a whole number from 1 to 65535"),
        ("MOOD", "sad", "SUIVANT_MOOD is 'sad': it should be one of calm, loud"),
        ("LOG", "xml", "SUIVANT_LOG is 'xml': it should be one of console, json"),
        ("QUIET", "perhaps", "SUIVANT_QUIET is 'perhaps': it should be true or false"),
        ("RATE", "-1", "SUIVANT_RATE is '-1': it should be a number of at least 0"),
        ("PASSWORD", "secret", "SUIVANT_PASSWORD is '(not shown)': it should be text of at most 5 characters"),
        ("NAME", "A", "SUIVANT_NAME is 'A': it should be lower-case letters"),
    ],
)
def test_a_wrong_setting_is_said_with_its_name_its_value_and_what_would_be_right(variable, value, sentence):
    environ = {"SUIVANT_TOWN": "X"} | ({} if value is None else {f"SUIVANT_{variable}": value})
    if value is None:
        del environ["SUIVANT_TOWN"]
    with pytest.raises(WrongSetting) as wrong:
        read(Example, environ)
    assert str(wrong.value) == sentence
    assert wrong.value.variable == f"SUIVANT_{variable}"


@pytest.mark.parametrize(
    ("kind", "variable", "value"),
    [
        (NodeSettings, "SUIVANT_NODE", "desk-1"),
        (NodeSettings, "SUIVANT_SITE", "town-hall"),
        (DisplaySettings, "SUIVANT_SIZE", "1920x1080"),
        (WordsSettings, "SUIVANT_LANGUAGE", "fr"),
        (PrinterSettings, "SUIVANT_LANGUAGE", "fr"),
        (HubSettings, "SUIVANT_PUBLIK_PROXY", "http://proxy.example:3128"),
    ],
)
def test_the_end_of_a_line_is_no_part_of_a_setting(kind, variable, value):
    right = {"SUIVANT_NODE": "desk-1", "SUIVANT_SITE": "town-hall", variable: value}
    read(kind, right)
    with pytest.raises(WrongSetting, match=variable):
        read(kind, {**right, variable: f"{value}\n"})


def test_another_prefix_reads_other_variables():
    assert read(Example, {"OTHER_TOWN": "X"}, prefix="OTHER_").town == "X"


def test_every_setting_can_be_described():
    town, port, folder, *_ = describe(Example)
    assert (town.variable, town.default, town.meaning) == ("SUIVANT_TOWN", None, "name of the town")
    assert (port.default, port.wanted) == ("1883", "a whole number from 1 to 65535")
    assert (folder.default, folder.wanted) == ("/var/lib/example", "a path")


@pytest.mark.parametrize("slip", ["BROKER_PROT", "BROKR_PORT", "STATE_DIRR", "QUIETT", "TOWNN"])
def test_a_misspelt_variable_is_refused_with_the_one_that_is_meant(slip):
    with pytest.raises(WrongSetting, match=rf"^SUIVANT_{slip} is not a setting: did you mean SUIVANT_[A-Z_]+\?$"):
        refuse_misspelt({f"SUIVANT_{slip}": "x"}, describe(Example))


def test_variables_of_other_programs_are_let_be():
    programs = [list(hub_settings()), *(list(_all_settings(role)) for role in ROLES.values())]
    every = {each.variable: "x" for settings in programs for each in settings}
    for settings in programs:
        refuse_misspelt(every | {"SUIVANT_TORTURE": "1", "PATH": "/bin"}, settings)
