"""Requests that the API's description allows, and many that it does not, never make the hub fail."""

import json
from collections.abc import Iterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, GenerationMode
from schemathesis.checks import not_a_server_error

from hub.auth.roles import STAFF, Role
from hub.openapi import openapi
from tests.security.town import Town
from tests.web.stand import COOKIE

# Examples for each operation: if the caller may ask it, and if access is refused.
EXAMPLES, SHUT_OUT = 8, 2
# Names that exist: most made-up ones do not.
THERE = {"desk": "desk-3", "ticket": 1, "report": 1}

SCHEMA = schemathesis.openapi.from_dict(json.loads(openapi()))
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.label)


@pytest.fixture(scope="module")
def callers(town: Town) -> Iterator[dict[str, requests.Session]]:
    """A browser of somebody with every role, a program of each kind, and an anonymous caller."""
    every = town.stand.log_in(*STAFF)
    town.stand.open("desk-3", "desk-4")
    town.stand.sign_on("desk-3")
    for _ in range(3):
        town.stand.issue("civil")
    given = {
        "every role": {"Cookie": f"{COOKIE}={every}"},
        **{
            str(role): {"Authorization": f"Bearer {town.new_machine(role, role)}"}
            for role in (Role.INTRANET, Role.METRICS)
        },
        "nobody": {},
    }
    made = {who: requests.Session() for who in given}
    for who, session in made.items():
        session.trust_env = False
        session.headers.update({"Origin": town.own, **given[who]})
    yield made
    for session in made.values():
        session.close()


def cases(operation: APIOperation) -> st.SearchStrategy[schemathesis.Case]:
    """Requests that the description allows, and others."""
    return st.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode])


def bounded(examples: int) -> settings:
    return settings(
        max_examples=examples, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck)
    )


@each_operation
def test_nothing_that_is_sent_makes_the_hub_fail(
    operation: APIOperation, town: Town, callers: dict[str, requests.Session]
) -> None:
    @bounded(EXAMPLES)
    @given(cases(operation))
    def send(case: schemathesis.Case) -> None:
        ask(case, town, callers["every role"])
        if case.path_parameters:
            case.path_parameters = {name: THERE[name] for name in case.path_parameters}
            ask(case, town, callers["every role"])

    send()


@each_operation
def test_nothing_that_others_send_makes_the_hub_fail(
    operation: APIOperation, town: Town, callers: dict[str, requests.Session]
) -> None:
    @bounded(SHUT_OUT)
    @given(cases(operation))
    def send(case: schemathesis.Case) -> None:
        for who in sorted(callers.keys() - {"every role"}):
            ask(case, town, callers[who])

    send()


def ask(case: schemathesis.Case, town: Town, session: requests.Session) -> None:
    answer = case.call(base_url=town.server.address, session=session)
    case.validate_response(answer, checks=[not_a_server_error])
