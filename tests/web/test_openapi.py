"""The API's description is served by the hub, complete, and with correct examples."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from hub.auth.roles import Role
from hub.web import appointment_documents, documents
from hub.web.actions import DESK_ACTIONS, TICKET_ACTIONS
from tests.web.stand import Served, client_of

MODELS = [
    model
    for model in {**vars(documents), **vars(appointment_documents)}.values()
    if isinstance(model, type) and issubclass(model, BaseModel) and "json_schema_extra" in model.model_config
]


@pytest.fixture
def client(one_server: Served) -> Iterator[httpx.Client]:
    with client_of(one_server, Role.ADMINISTRATOR) as client:
        yield client


@pytest.fixture
def description(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


def test_every_command_is_described(description: dict[str, Any]) -> None:
    paths = description["paths"]
    assert all(f"/api/v1/desks/{{desk}}/{word}" in paths for word in DESK_ACTIONS)
    assert all(f"/api/v1/desks/{{desk}}/tickets/{{ticket}}/{word}" in paths for word in TICKET_ACTIONS)


def test_every_route_says_what_it_gives_and_takes(description: dict[str, Any]) -> None:
    for path, methods in description["paths"].items():
        for method, route in methods.items():
            assert route.get("description"), (method, path)
            done = next(answer for status, answer in route["responses"].items() if status.startswith("2"))
            if path != "/metrics":
                assert done["content"]["application/json"]["schema"], (method, path)
            if method == "post":
                assert route["requestBody"]["content"]["application/json"]["schema"], (method, path)


def test_a_check_in_is_described_by_what_it_gives_and_every_other_command_by_what_the_desk_did(
    description: dict[str, Any],
) -> None:
    of_desk = {
        path.rpartition("/")[2]: methods["post"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        for path, methods in description["paths"].items()
        if path.startswith("/api/v1/desks/") and "post" in methods
    }
    assert of_desk.pop("check-in") == "#/components/schemas/TicketIssued"
    assert set(of_desk.values()) == {"#/components/schemas/DeskDone"}


def test_a_command_describes_each_status_that_it_may_be_refused_with(description: dict[str, Any]) -> None:
    refused = {"400", "401", "403", "404", "408", "409", "410", "411", "413", "422", "503"}
    for path, methods in description["paths"].items():
        if "post" in methods and not path.endswith("/push"):
            assert refused - methods["post"]["responses"].keys() == set(), path


def test_what_is_asked_describes_each_status_that_it_may_be_refused_with(description: dict[str, Any]) -> None:
    refused = {"400", "401", "403", "404", "422", "503"}
    # Anybody may ask it, and it never refuses.
    asked = {path: methods["get"] for path, methods in description["paths"].items() if "get" in methods}
    del asked["/healthz"]
    for path, route in asked.items():
        assert refused - route["responses"].keys() == set(), path


def test_every_problem_is_described_in_the_type_it_comes_in(description: dict[str, Any]) -> None:
    problem = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    described = {
        json.dumps(answer["content"])
        # Answers to Publik have a form of their own.
        for path, methods in description["paths"].items()
        if not path.endswith("/push")
        for route in methods.values()
        for status, answer in route["responses"].items()
        if status.startswith("4")
    }
    assert described == {json.dumps({"application/problem+json": problem})}
    assert "detail" in description["components"]["schemas"]["ProblemDocument"]["properties"]


def test_the_pages_forms_are_no_part_of_it(description: dict[str, Any]) -> None:
    assert not [path for path in description["paths"] if path.startswith("/desks")]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_each_example_is_valid(model: type[BaseModel]) -> None:
    extra: Any = model.model_config["json_schema_extra"]
    for example in extra["examples"]:
        model.model_validate_json(json.dumps(example))


def test_no_page_of_it_loads_a_script_from_elsewhere(client: httpx.Client) -> None:
    assert client.get("/docs").status_code == 404
    assert client.get("/redoc").status_code == 404
