"""Everything that the code offers is in docs/: a test fails if something was added but not documented."""

import argparse
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import create_engine

from demo.options import Options
from hub.__main__ import _parser as hub_parser
from hub.config import read_site
from hub.metrics import Metrics
from hub.settings import described_settings as hub_settings
from hub.web.app import create_web
from hub.web.parts import WebParts
from nodes.__main__ import ROLES, _all_settings
from nodes.__main__ import _parser as node_parser
from nodes.ticket_printer.lights import Moment
from protocol.environment import describe
from protocol.messages import DISPENSER_LED_PIN, DeskButtonConfig, DisplayConfig, NodeWarning, TicketPrinterConfig
from protocol.topics import NodeTopic, Topics

ROOT = Path(__file__).parents[2]
DOCS = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "docs").rglob("*.md")))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def settings() -> set[str]:
    nodes = {each.variable for role in ROLES.values() for each in _all_settings(role)}
    return nodes | {each.variable for each in hub_settings()} | {each.variable for each in describe(Options, prefix="")}


def commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Every command that does something, as typed, without its arguments."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield parser.prog
    for group in groups:
        for command in group.choices.values():
            yield from commands(command)


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from options(command)
        yield from (option for option in action.option_strings if option.startswith("--"))


def topics() -> set[str]:
    site = Topics("SITE")
    below = {site.hub_status, site.hub_beat, site.hub_echo}
    below |= {site.node("{node}", topic) for topic in NodeTopic}
    below |= {site.desk_state("{desk}"), site.hall_state("{hall}"), site.hall_announce("{hall}")}
    return {topic.removeprefix(f"{site.root}/") for topic in below}


def routes() -> set[str]:
    """Every address that the hub serves, including its sockets."""
    site = read_site(ROOT / "hub/example-site.yaml").site
    # Building the application uses none of its other parts.
    others = set(WebParts.__dataclass_fields__) - {"site", "reads", "reached"}
    parts = WebParts(site, create_engine("sqlite://"), **{name: cast(Any, None) for name in others})
    return {context.path for context in iter_route_contexts(create_web(parts).routes)} - {"/static"}


def metrics() -> set[str]:
    """The hub's own metrics; those of Python and the process are documented by the client library."""
    families = [family for family in Metrics("0").registry.collect() if family.name.startswith("suivant")]
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


@pytest.mark.parametrize("setting", sorted(settings()))
def test_every_setting_is_documented(setting):
    assert f"`{setting}`" in DOCS


@pytest.mark.parametrize("command", sorted({*commands(hub_parser()), *commands(node_parser())}))
def test_every_command_is_documented(command):
    assert command in DOCS


@pytest.mark.parametrize("option", sorted({*options(hub_parser()), *options(node_parser())} - {"--help"}))
def test_every_option_is_documented(option):
    assert option in DOCS


@pytest.mark.parametrize("topic", sorted(topics()))
def test_every_topic_is_documented(topic):
    assert f"`{topic}`" in DOCS


def test_the_list_of_topics_is_whole():
    made = {name for name, value in vars(Topics).items() if isinstance(value, property) or callable(value)}
    own = {name for name in made if not name.startswith("_")} - {field.name for field in dataclasses.fields(Topics)}
    assert own - {"root", "every_node", "every_desk_state", "every_hall_state", "parse_node"} == {
        "hub_status",
        "hub_beat",
        "hub_echo",
        "node",
        "desk_state",
        "hall_state",
        "hall_announce",
    }


@pytest.mark.parametrize("route", sorted(routes()))
def test_every_route_is_documented(route):
    # A form of the page is named like the command of the API.
    assert re.search(rf"(?:[` ]|/api/v1){re.escape(route)}`", DOCS)


@pytest.mark.parametrize("warning", NodeWarning)
def test_every_warning_of_a_node_is_documented(warning):
    assert f"`{warning}`" in DOCS


@pytest.mark.parametrize("config", [DeskButtonConfig, DisplayConfig, TicketPrinterConfig])
def test_every_field_of_a_configuration_is_documented_beside_its_role(config):
    told = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    table = told.partition("| `role` | fields |")[2].partition("\n\n")[0]
    [row] = [line for line in table.splitlines() if line.startswith(f"| `{config.__struct_config__.tag}` |")]
    fields = set(config.__struct_fields__) - {"v", "revision"}
    assert fields <= set(re.findall(r"`(\w+)`", row))


def test_the_pin_of_the_dispensers_lamp_stands_where_a_site_is_configured():
    configuration = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    example = (ROOT / "hub/example-site.yaml").read_text(encoding="utf-8")
    for text in (configuration, example):
        assert re.search(rf"\b{DISPENSER_LED_PIN}\b.*\blamp\b", text)


def test_every_moment_of_the_dispensers_lamp_has_a_row():
    told = (ROOT / "docs/dispenser.md").read_text(encoding="utf-8")
    table = told.partition("| lamp | means |\n| --- | --- |\n")[2].partition("\n\n")[0]
    before_its_configuration = 1
    assert len(table.splitlines()) == len(Moment) + before_its_configuration


@pytest.mark.parametrize("metric", sorted(metrics()))
def test_every_metric_is_documented(metric):
    assert re.search(rf"`{metric}[`{{]", DOCS)


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))


def test_every_make_target_that_the_documents_name_is_there():
    assert set(re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z-]+)", DOCS + README)) <= make_targets()


def test_the_readmes_commands_are_the_ones_ci_runs():
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^    )make ([a-z-]+)", README, re.MULTILINE))
    run = set(re.findall(r"\bmake ([a-z-]+)", ci))
    assert named
    assert named <= run


def test_every_link_between_documents_leads_somewhere():
    documents = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    for document in documents:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.relative_to(ROOT)} links to {target}"
