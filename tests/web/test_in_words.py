"""A browser that asks for a page and is refused reads why in words; programs and scripts still get the document."""

from collections.abc import Iterator

import httpx
import pytest

from hub.auth.roles import Role
from tests.web.stand import NO_TLS, Served, client_of
from tests.web.test_login_pages import away
from tests.web.texts import SCRIPT, text_of

# The header with which Firefox and Chromium ask for a page.
PAGE = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
NOTHING = "Il n’y a rien à cette adresse."


@pytest.fixture
def server(one_server: Served) -> Served:
    return one_server


@pytest.mark.parametrize("path", ["/nowhere", "/desks/desk-99", "/desks/desk-1?panel=nothing", "/logout"])
def test_a_wrong_address_is_said_in_words_and_leads_back(server: Served, path: str) -> None:
    with client_of(server, Role.AGENT) as client:
        answer = client.get(path, headers=PAGE)
        document = client.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.status_code == document.status_code >= 400
    assert NOTHING in text_of(answer.text)
    assert 'href="/"' in answer.text
    assert answer.headers["content-security-policy"] == document.headers["content-security-policy"]
    assert document.headers["content-type"] == "application/problem+json"


def test_a_wrong_host_is_told_what_to_do_about_it(server: Served) -> None:
    asked = {**PAGE, "Host": "<b>evil</b>.example"}
    answer = httpx.get(f"{server.address}/", headers=asked, verify=NO_TLS, trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "Suivant n’est pas accessible par cette adresse. Prévenez l’informatique." in text_of(answer.text)
    assert f"use http://127.0.0.1:{server.port}" in text_of(answer.text)
    assert "<b>evil" not in answer.text


@pytest.mark.parametrize("headers", [{"Accept": "*/*"}, {"Accept": "application/json, text/html"}, {**PAGE, **SCRIPT}])
def test_programs_and_scripts_keep_the_document(server: Served, headers: dict[str, str]) -> None:
    with client_of(server, Role.AGENT) as client:
        assert client.get("/nowhere", headers=headers).json()["code"] == "not_found"


def test_the_api_answers_a_browser_as_it_answers_a_program(server: Served) -> None:
    with client_of(server, Role.AGENT) as client:
        assert client.get("/api/v1/nowhere", headers=PAGE).json()["code"] == "not_found"


@pytest.fixture
def away_database(server: Served) -> Iterator[None]:
    gate, token = server.stand.gate, server.stand.gate.token
    object.__setattr__(gate, "token", away)
    yield
    object.__setattr__(gate, "token", token)


@pytest.mark.usefixtures("away_database")
def test_a_failure_behind_a_page_is_said_in_words(server: Served) -> None:
    with client_of(server) as client:
        answer = client.get("/", headers={**PAGE, "Authorization": "Bearer made-up"})
    assert answer.status_code == 503
    assert "Rien n’a changé" in text_of(answer.text)
